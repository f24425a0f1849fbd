import { scripts } from "../lua/index.js";
import { classifyFailure } from "../valkey/failure.js";
import { entityKeys } from "../valkey/keys.js";
import { runScript } from "../valkey/script.js";
import type { Store } from "./call.js";
import { ask, callError } from "./call-error.js";
import { checkId } from "./change-options.js";
import { readReply } from "./result.js";

/**
 * Runs one of the scripts about timers. Called twice they do no harm, so a lost answer is no matter: ask again.
 *
 * @throws NotExecutedError when there was no answer, ContractError or LayoutError where asking again is no use.
 */
export async function timerCall(
  { connection, place }: Store,
  operation: "heartbeat" | "expire",
  id: string,
  options: readonly string[] = [],
): Promise<{ outcome: string; text: string | null }> {
  const { machine } = place;
  const { address, client } = connection;
  const args = [checkId("id", id, 128), ...options];
  try {
    return readReply(await runScript(client, scripts[operation], entityKeys(place, id), args));
  } catch (error) {
    if (classifyFailure(error) === "refused")
      throw callError(error, { operation, machine, id, op: "", address });
    return ask(connection, `${operation} ${machine} ${id}`, () => Promise.reject(error));
  }
}
