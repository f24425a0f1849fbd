import type { Snapshot } from "../contract/document.js";
import { LatchkeyError } from "./latchkey-error.js";
import type { NotExecutedError } from "./outcome-errors.js";

/**
 * An entity did not reach the state within the timeout, or cannot. `code` is `"TIMEDOUT"`; `"NOTFOUND"` if the entity does
 * not exist or was removed; `"FINAL"` if it is in another state, which is final; `"GAP"` if the event log was trimmed or
 * lost while the connection was lost, and the entity's own log no longer shows if it was in the state meanwhile.
 */
export class WaitError extends LatchkeyError {
  override readonly name = "WaitError";
  declare readonly code: "TIMEDOUT" | "NOTFOUND" | "FINAL" | "GAP";
  readonly machine: string;
  readonly id: string;
  /** The entity at the last look; null if it does not exist. */
  readonly current: Snapshot | null;
  /** Why the server of the entity did not reply when the time was up; absent if it did. */
  declare readonly cause?: NotExecutedError;

  constructor(
    code: WaitError["code"],
    message: string,
    machine: string,
    id: string,
    current: Snapshot | null,
    cause?: NotExecutedError,
  ) {
    super(code, message, cause && { cause });
    this.machine = machine;
    this.id = id;
    this.current = current;
  }
}
