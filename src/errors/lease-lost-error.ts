import type { Snapshot } from "../contract/document.js";
import { LatchkeyError } from "./latchkey-error.js";

/**
 * A held lease is lost: stop work on the entity. `code` is `"LEASELOST"`; `cause` is the server's rejection, or the reason
 * why no renewal was confirmed in time.
 */
export class LeaseLostError extends LatchkeyError {
  override readonly name = "LeaseLostError";
  readonly machine: string;
  readonly id: string;
  /** The current entity if the server returned it; null if it does not exist or is unknown. */
  readonly current: Snapshot | null;

  constructor(message: string, machine: string, id: string, current: Snapshot | null, cause: unknown) {
    super("LEASELOST", message);
    this.machine = machine;
    this.id = id;
    this.current = current;
    this.cause = cause;
  }
}
