import { readReply } from "../changes/result.js";
import { checkId } from "../contract/arguments.js";
import type { ErrorCode } from "../errors/codes.js";
import { LatchkeyError } from "../errors/latchkey-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import { scripts } from "../lua/index.js";
import { ask, contractError } from "../valkey/ask.js";
import { replyCode, safeMessage } from "../valkey/failure.js";
import { entityKeys } from "../valkey/keys.js";
import { partitionOf } from "../valkey/partition.js";
import { runScript } from "../valkey/script.js";
import type { SweepPartition } from "./partition.js";

/** The result of one EXPIRE call. */
export type ExpiryResult =
  /** A timer fired. `text` is the document of the change. */
  | { readonly outcome: "fired"; readonly text: string }
  /** No timer has expired, or another sweeper fired it. The server has corrected the entity's entry in `due`. */
  | { readonly outcome: "notDue" }
  /** The entity does not exist. The server has removed its entry from `due`. */
  | { readonly outcome: "gone" }
  /** The timer cannot fire, and another attempt does not help. `code` is the one of the reply, if it was an error. */
  | { readonly outcome: "stuck"; readonly why: string; readonly code?: string }
  /** The user lacks a permission that this change needs. */
  | { readonly outcome: "denied"; readonly error: NotExecutedError }
  /** There was no reply, or an error that is not about this entity. The timer may have fired. */
  | { readonly outcome: "unanswered"; readonly error: NotExecutedError };

/** Matches the reply of a script that lacks a permission. It checks its permissions before it writes. */
const SCRIPT_NOPERM = /^NOPERM [a-z|]+$/;

/** Begins the server's reply if the user lacks the permission to read what a script reads. */
const ACL_FAILURE = "ERR ACL failure in script";

/**
 * Fires the timer of an entity if it has expired by the server's clock. Otherwise corrects the entity's entry in `due`.
 * Every reply of the server is a result; only a defect of this package throws.
 */
export async function expire(partition: SweepPartition, id: string): Promise<ExpiryResult> {
  const { connection, location } = partition;
  const repair = `to fix it, run ${partition.repairCommand}`;
  if (!isIdOf(partition, id)) return { outcome: "stuck", why: `not an id of this partition; ${repair}` };
  const name = `expire ${location.machine} ${id}`;
  let isDenied = false;
  try {
    const reply = await ask(connection, name, async (client) => {
      try {
        return await runScript(client, scripts.expire, entityKeys(location, id), [id]);
      } catch (error) {
        const [code, message] = [replyCode(error), safeMessage(error)];
        isDenied = SCRIPT_NOPERM.test(message);
        if (code === "WRONGTYPE" || (code === "ERR" && !message.startsWith(ACL_FAILURE)))
          throw new LatchkeyError(code as ErrorCode, message); // a code of the server, caught below
        throw contractError(error, name) ?? error;
      }
    });
    const { outcome, text } = readReply(reply);
    if (outcome === "OK" && text !== null) return { outcome: "fired", text };
    if (outcome === "NOTDUE") return { outcome: "notDue" };
    if (outcome === "NOTFOUND") return { outcome: "gone" };
    if (outcome === "MISSING") {
      const problem = "the state that its timer leads to requires a stamp that was never set";
      return { outcome: "stuck", why: `${problem}; apply a newer version of the machine` };
    }
    throw new LatchkeyError("PROTOCOL", `unknown outcome ${outcome}`);
  } catch (error) {
    if (error instanceof NotExecutedError) return { outcome: isDenied ? "denied" : "unanswered", error };
    if (!(error instanceof LatchkeyError)) throw error;
    const { code } = error;
    return { outcome: "stuck", why: `its data is damaged (${code}); ${repair}`, code };
  }
}

/** Checks an entry of `due` or `index`: something other than latchkey may have written it. */
function isIdOf({ location, partition }: SweepPartition, id: string): boolean {
  try {
    checkId("id", id, 128);
  } catch {
    return false;
  }
  return partitionOf(id, location.partitions) === partition;
}
