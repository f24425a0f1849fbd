import type { Snapshot } from "../contract/document.js";
import type { ErrorCode } from "./codes.js";
import { LatchkeyError } from "./latchkey-error.js";

/** The server judged the change and refused it; nothing was written. Normal for the losers of a race. */
export class RejectedError extends LatchkeyError {
  override readonly name: string = "RejectedError";
  readonly machine: string;
  readonly id: string;
  /** The entity as it is now, so that no second read is needed; null where there is none. */
  readonly current: Snapshot | null;

  constructor(code: ErrorCode, message: string, machine: string, id: string, current: Snapshot | null) {
    super(code, message);
    this.machine = machine;
    this.id = id;
    this.current = current;
  }
}

/** The machine has no transition from the present state to the wanted one. `code` is `"ILLEGAL"`. */
export class IllegalTransitionError extends RejectedError {
  override readonly name = "IllegalTransitionError";
  readonly to: string;
  /** The states that are possible from the present one; none where another version of the machine is installed. */
  readonly allowed: readonly string[];

  constructor(message: string, machine: string, current: Snapshot, to: string, allowed: readonly string[]) {
    super("ILLEGAL", message, machine, current.id, current);
    this.to = to;
    this.allowed = allowed;
  }
}

/** `ifVersion` or `ifState` does not hold. `code` is `"CONFLICT"`. */
export class ConflictError extends RejectedError {
  override readonly name = "ConflictError";
}

/** There is no such entity. `code` is `"NOTFOUND"`. */
export class NotFoundError extends RejectedError {
  override readonly name = "NotFoundError";
}

/** The id is taken. `code` is `"EXISTS"`. */
export class AlreadyExistsError extends RejectedError {
  override readonly name = "AlreadyExistsError";
}

/** A field that the state requires would be absent. `code` is `"MISSING"`. */
export class MissingFieldError extends RejectedError {
  override readonly name = "MissingFieldError";
  /** The fields to set; none where another version of the machine is installed, whose fields are not known here. */
  readonly fields: readonly string[];

  constructor(
    message: string,
    machine: string,
    id: string,
    current: Snapshot | null,
    fields: readonly string[],
  ) {
    super("MISSING", message, machine, id, current);
    this.fields = fields;
  }
}

/** The server's clock had passed `notAfter`, and no earlier attempt was made either. `code` is `"EXPIRED"`. */
export class DeadlineExceededError extends RejectedError {
  override readonly name = "DeadlineExceededError";
}

/**
 * The answer to an attempt was lost, or another process made it, and so much has happened since that neither the entity
 * nor the log tells whether this op was done. No later attempt was made; read the entity and decide. `code` is `"FORGOTTEN"`.
 */
export class OutcomeForgottenError extends RejectedError {
  override readonly name = "OutcomeForgottenError";
}
