import { readReply } from "../changes/result.js";
import type { ErrorCode } from "../errors/codes.js";
import { LatchkeyError } from "../errors/latchkey-error.js";
import { LayoutError } from "../errors/layout-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import { scripts } from "../lua/index.js";
import { ask, contractError } from "../valkey/ask.js";
import { replyCode, safeMessage } from "../valkey/failure.js";
import { entityKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { runScript } from "../valkey/script.js";

/** What came of asking whether something has run out for an entity. */
export type Expiry =
  /** The change that was made, as text. */
  | { readonly outcome: "OK"; readonly text: string }
  /** Nothing has. `isUnsure`: unless it fired in an attempt before, whose answer was lost. */
  | { readonly outcome: "NOTDUE" | "NOTFOUND"; readonly isUnsure: boolean }
  /** It can't fire: the state to enter requires a stamp that was never set. */
  | { readonly outcome: "MISSING"; readonly state: string; readonly isUnsure: boolean }
  /** Asking again is no use: what the scripts read is damaged, or of another version. `code` is that of the reply. */
  | { readonly outcome: "DAMAGED"; readonly code: string; readonly why: string }
  /** This user may not do what is to be done for this entity. */
  | { readonly outcome: "DENIED"; readonly error: NotExecutedError }
  /** There was no answer. `isUnsure`: it may have fired all the same. */
  | { readonly outcome: "AWAY"; readonly error: NotExecutedError; readonly isUnsure: boolean };

/** The scripts' own word for a right that they lack, which they ask for before they write. */
const LACKS = /^NOPERM [a-z|]+$/;

/** What a server says of a user who may not read what the scripts read. */
const ACL_FAILURE = "ERR ACL failure in script";

/**
 * Fires what has run out for an entity, by the server's clock and judgement; else puts its place in due right. Throws
 * nothing that the server has a part in.
 *
 * @param isUnsure an attempt in an earlier call may have fired, and had no answer
 */
export async function expire(
  { connection, location }: Pick<MachineStore, "connection" | "location">,
  id: string,
  isUnsure = false,
): Promise<Expiry> {
  const name = `expire ${location.machine} ${id}`;
  let open = isUnsure ? 1 : 0; // attempts that nobody has told the end of
  let isLacking = false;
  try {
    const reply = await ask(connection, name, async (client) => {
      open += 1;
      try {
        const reply = await runScript(client, scripts.expire, entityKeys(location, id), [id]);
        open -= 1;
        return reply;
      } catch (error) {
        const code = replyCode(error);
        if (code !== "") open -= 1;
        isLacking = LACKS.test(safeMessage(error));
        if (code === "WRONGTYPE" || (code === "ERR" && !safeMessage(error).startsWith(ACL_FAILURE)))
          throw new LatchkeyError(code as ErrorCode, safeMessage(error));
        throw contractError(error, name) ?? error;
      }
    });
    const { outcome, text } = readReply(reply);
    if (text !== null && outcome === "OK") return { outcome, text };
    const isStillUnsure = open > 0;
    if (outcome === "NOTDUE" || outcome === "NOTFOUND") return { outcome, isUnsure: isStillUnsure };
    if (text !== null && outcome === "MISSING") {
      // Not parsed: it is made of the entity's fields, one of which may be damaged.
      const [, state = ""] = /"state":"([^"]*)"/.exec(text) ?? [];
      return { outcome, state, isUnsure: isStillUnsure };
    }
    throw new LatchkeyError("PROTOCOL", `outcome ${outcome} is not one this version of latchkey knows`);
  } catch (error) {
    if (error instanceof NotExecutedError && isLacking) return { outcome: "DENIED", error };
    if (error instanceof NotExecutedError) return { outcome: "AWAY", error, isUnsure: open > 0 };
    if (!(error instanceof LatchkeyError || error instanceof LayoutError)) throw error;
    return { outcome: "DAMAGED", code: error.code, why: error.message };
  }
}
