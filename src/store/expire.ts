import type { Store } from "./call.js";
import { type Change, readDocument, type Snapshot } from "./document.js";
import { LatchkeyError } from "./errors.js";
import { timerCall } from "./timer-call.js";

/** What came of asking whether something has run out for an entity. */
export type Expiry =
  | { readonly outcome: "OK"; readonly change: Change }
  /** `NOTDUE`: nothing has. `MISSING`: it can't fire, for the state to enter requires a stamp that was never set. */
  | { readonly outcome: "NOTDUE" | "MISSING"; readonly current: Snapshot }
  | { readonly outcome: "NOTFOUND" };

/** Fires what has run out for an entity, by the server's clock and judgement; else puts its place in due right. */
export async function expire(store: Store, id: string): Promise<Expiry> {
  const { outcome, text } = await timerCall(store, "expire", id);
  if (outcome === "NOTFOUND") return { outcome };
  if (text !== null && outcome === "OK") return { outcome, change: readDocument<Change>(text) };
  if (text !== null && (outcome === "NOTDUE" || outcome === "MISSING")) {
    return { outcome, current: readDocument<Snapshot>(text) };
  }
  throw new LatchkeyError("PROTOCOL", `outcome ${outcome} is not one this version of latchkey knows`);
}
