import type { Snapshot } from "../contract/document.js";
import { LatchkeyError } from "./latchkey-error.js";

/**
 * What was waited for did not come. `code` says why: `"TIMEDOUT"`, the time is up; `"NOTFOUND"`, there is no such
 * entity, or it was removed; `"FINAL"`, the entity is in another state, which is final.
 */
export class WaitError extends LatchkeyError {
  override readonly name = "WaitError";
  declare readonly code: "TIMEDOUT" | "NOTFOUND" | "FINAL";
  readonly machine: string;
  readonly id: string;
  /** The entity as it was seen last; null where there is none. */
  readonly current: Snapshot | null;

  constructor(
    code: WaitError["code"],
    message: string,
    machine: string,
    id: string,
    current: Snapshot | null,
  ) {
    super(code, message);
    this.machine = machine;
    this.id = id;
    this.current = current;
  }
}
