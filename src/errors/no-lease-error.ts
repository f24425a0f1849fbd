import type { Snapshot } from "../contract/document.js";
import { RejectedError } from "./rejected-errors.js";

/** The current state of the entity has no lease to renew. `code` is `"ILLEGAL"`. */
export class NoLeaseError extends RejectedError {
  override readonly name = "NoLeaseError";

  constructor(machine: string, current: Snapshot) {
    const { id, state, version } = current;
    const message = `${machine} ${id} has no lease to renew: state ${state} has none (version ${version})`;
    super("ILLEGAL", message, machine, id, current);
  }
}
