import { scripts } from "../lua/index.js";
import { entityKeys } from "../valkey/keys.js";
import { runScript } from "../valkey/script.js";
import type { Store } from "./call.js";
import { ask, contractError } from "./call-error.js";
import { checkId } from "./change-options.js";
import { readReply } from "./result.js";

/**
 * Runs one of the scripts about timers. Called again they do no harm, so that a lost answer is no matter.
 *
 * @param timeoutMs how long it may take, repeated attempts included
 * @throws NotExecutedError when there was no answer, ContractError or LayoutError where asking again is no use.
 */
export async function timerCall(
  { connection, place }: Store,
  operation: "expire",
  id: string,
  options: readonly string[] = [],
  timeoutMs = connection.timeoutMs,
): Promise<{ outcome: string; text: string | null }> {
  const name = `${operation} ${place.machine} ${id}`;
  const args = [checkId("id", id, 128), ...options];
  const reply = await ask(
    connection,
    name,
    async (client) => {
      try {
        return await runScript(client, scripts[operation], entityKeys(place, id), args);
      } catch (error) {
        throw contractError(error, name) ?? error;
      }
    },
    timeoutMs,
  );
  return readReply(reply);
}
