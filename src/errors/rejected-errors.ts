import type { Snapshot } from "../contract/document.js";
import type { ErrorCode } from "./codes.js";
import { LatchkeyError } from "./latchkey-error.js";

/** The server rejected the change; nothing was written. This is normal for the losers of a race. */
export class RejectedError extends LatchkeyError {
  override readonly name: string = "RejectedError";
  readonly machine: string;
  readonly id: string;
  /** The current entity, so that no second read is needed; null if it does not exist. */
  readonly current: Snapshot | null;

  constructor(
    code: ErrorCode,
    message: string,
    machine: string,
    id: string,
    current: Snapshot | null,
    options?: ErrorOptions,
  ) {
    super(code, message, options);
    this.machine = machine;
    this.id = id;
    this.current = current;
  }
}

/** The machine has no transition from the current state to `to`. `code` is `"ILLEGAL"`. */
export class IllegalTransitionError extends RejectedError {
  override readonly name = "IllegalTransitionError";
  readonly to: string;
  /** The states that can follow the current one; empty if another version of the machine is installed. */
  readonly allowed: readonly string[];

  constructor(message: string, machine: string, current: Snapshot, to: string, allowed: readonly string[]) {
    super("ILLEGAL", message, machine, current.id, current);
    this.to = to;
    this.allowed = allowed;
  }
}

/** The entity does not match `ifVersion` or `ifState`. `code` is `"CONFLICT"`. */
export class ConflictError extends RejectedError {
  override readonly name = "ConflictError";
}

/** The entity does not exist. `code` is `"NOTFOUND"`. */
export class NotFoundError extends RejectedError {
  override readonly name = "NotFoundError";
}

/** An entity with this ID exists. `code` is `"EXISTS"`. */
export class AlreadyExistsError extends RejectedError {
  override readonly name = "AlreadyExistsError";
}

/** A field that the state requires is absent. `code` is `"MISSING"`. */
export class MissingFieldError extends RejectedError {
  override readonly name = "MissingFieldError";
  /** The fields to set; empty if another version of the machine is installed, whose fields are unknown here. */
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

/** The server's clock has passed `notAfter`, and no earlier attempt was applied. `code` is `"EXPIRED"`. */
export class DeadlineExceededError extends RejectedError {
  override readonly name = "DeadlineExceededError";
}

/**
 * The entity has forgotten the idempotency key of an earlier attempt, and the event log no longer contains it either. The retry
 * was not applied; read the entity and decide. `code` is `"FORGOTTEN"`.
 */
export class OutcomeForgottenError extends RejectedError {
  override readonly name = "OutcomeForgottenError";
}
