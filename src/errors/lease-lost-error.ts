import type { Snapshot } from "../contract/document.js";
import { LatchkeyError } from "./latchkey-error.js";

/**
 * A lease that was held is held no more: stop working on the entity. `code` is `"LEASELOST"`; `cause` is what the
 * server refused with, or why no renewal was confirmed in time.
 */
export class LeaseLostError extends LatchkeyError {
  override readonly name = "LeaseLostError";
  readonly machine: string;
  readonly id: string;
  /** The entity as it is now, where the server told; null where it is gone, or nothing was told. */
  readonly current: Snapshot | null;

  constructor(message: string, machine: string, id: string, current: Snapshot | null, cause: unknown) {
    super("LEASELOST", message);
    this.machine = machine;
    this.id = id;
    this.current = current;
    this.cause = cause;
  }
}
