import type { Snapshot } from "./document.js";

/** What all errors of changes have in common: a stable `code`, for callers that can't use `instanceof`. */
export class LatchkeyError extends Error {
  override readonly name: string = "LatchkeyError";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** The server judged the change and refused it; nothing was written. Normal for the losers of a race. */
export class RefusedError extends LatchkeyError {
  override readonly name: string = "RefusedError";
  readonly machine: string;
  readonly id: string;
  /** The entity as it is now, so that no second read is needed; null where there is none. */
  readonly current: Snapshot | null;

  constructor(code: string, message: string, machine: string, id: string, current: Snapshot | null) {
    super(code, message);
    this.machine = machine;
    this.id = id;
    this.current = current;
  }
}

/** The machine has no transition from the present state to the wanted one. `code` is `"ILLEGAL"`. */
export class IllegalTransitionError extends RefusedError {
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
export class ConflictError extends RefusedError {
  override readonly name = "ConflictError";
}

/** There is no such entity. `code` is `"NOTFOUND"`. */
export class NotFoundError extends RefusedError {
  override readonly name = "NotFoundError";
}

/** The id is taken. `code` is `"EXISTS"`. */
export class AlreadyExistsError extends RefusedError {
  override readonly name = "AlreadyExistsError";
}

/** A field that the state requires would be absent. `code` is `"MISSING"`. */
export class MissingFieldError extends RefusedError {
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

/** The server's clock had passed `notAfter`, so nothing was done. `code` is `"EXPIRED"`. */
export class DeadlineExceededError extends RefusedError {
  override readonly name = "DeadlineExceededError";
}

/**
 * A retry whose first attempt can't be judged any more: so much has happened since that the server no longer remembers
 * whether this op was done. Nothing was done now; read the entity and decide. `code` is `"FORGOTTEN"`.
 */
export class OutcomeForgottenError extends RefusedError {
  override readonly name = "OutcomeForgottenError";
}

/** A machine could not be installed. `code` is `"INUSE"`. */
export class MachineInUseError extends LatchkeyError {
  override readonly name = "MachineInUseError";
  readonly machine: string;
  /** The version installed on the server. */
  readonly installedVersion: number;
  /** `LOWER`: a newer version is installed. `DIFFERENT`: this version has another content. `STATES`: entities sit in dropped states. */
  readonly problem: "LOWER" | "DIFFERENT" | "STATES";
  /** Entities in states that would be dropped, by state. */
  readonly states: Readonly<Record<string, number>>;

  constructor(
    message: string,
    machine: string,
    installedVersion: number,
    problem: "LOWER" | "DIFFERENT" | "STATES",
    states: Readonly<Record<string, number>>,
  ) {
    super("INUSE", message);
    this.machine = machine;
    this.installedVersion = installedVersion;
    this.problem = problem;
    this.states = states;
  }
}

/**
 * The call itself is wrong, whoever sends it: a bad argument (`code` `"BADARG"`) or a machine that nobody has applied
 * (`"NOMACHINE"`). Repeating it is no use.
 */
export class ContractError extends LatchkeyError {
  override readonly name = "ContractError";
}

/** The call was not executed, and may be repeated. `code` is `"NOTEXECUTED"`. */
export class NotExecutedError extends LatchkeyError {
  override readonly name = "NotExecutedError";
  /** The server's code, such as `"OOM"` or `"READONLY"`; empty where the connection was down. */
  readonly reply: string;

  constructor(message: string, reply: string) {
    super("NOTEXECUTED", message);
    this.reply = reply;
  }
}

/** The connection broke or fell silent while the call was under way: it may or may not have happened. */
export class OutcomeUnknownError extends LatchkeyError {
  override readonly name = "OutcomeUnknownError";
  readonly machine: string;
  readonly id: string;
  /**
   * Repeat the change with this op, and with `sent` (what `serverTime()` told before the first attempt): it takes
   * effect at most once, and the answer tells. Without `sent`, an op that the server remembers no more, because five
   * later ones of this entity came in between, would be done again.
   */
  readonly op: string;

  constructor(message: string, machine: string, id: string, op: string) {
    super("UNKNOWN", message);
    this.machine = machine;
    this.id = id;
    this.op = op;
  }
}
