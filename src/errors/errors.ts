import type { OpenOp, Resolution } from "../changes/op-lookup.js";
import type { Change, Replay, Snapshot } from "../contract/document.js";
import type { Duration } from "../machine/duration.js";
import type { Acknowledged } from "../valkey/durability.js";

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

/** The server's clock had passed `notAfter`, and no earlier attempt was made either. `code` is `"EXPIRED"`. */
export class DeadlineExceededError extends RefusedError {
  override readonly name = "DeadlineExceededError";
}

/**
 * The answer to an attempt was lost, or another process made it, and so much has happened since that neither the entity
 * nor the log tells whether this op was done. No later attempt was made; read the entity and decide. `code` is `"FORGOTTEN"`.
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
 * The call itself is wrong, whoever sends it: a bad argument (`code` `"BADARG"`), a machine that nobody has applied
 * (`"NOMACHINE"`), or a reaction that was forgotten while a replica of it was away (`"NOREACTION"`). Repeating it is no use.
 */
export class ContractError extends LatchkeyError {
  override readonly name = "ContractError";
}

/** The change was not executed, and will not be; it may be made again. `code` is `"NOTEXECUTED"`. */
export class NotExecutedError extends LatchkeyError {
  override readonly name = "NotExecutedError";
  /** The server's code, such as `"OOM"` or `"READONLY"`; empty where the connection was down or the server too slow. */
  readonly reply: string;

  constructor(message: string, reply: string) {
    super("NOTEXECUTED", message);
    this.reply = reply;
  }
}

/**
 * The time was up before the server could be asked what became of an attempt whose answer was lost: the change may or
 * may not have happened. `code` is `"UNKNOWN"`.
 *
 * @example
 * catch (error) {
 *   if (error instanceof OutcomeUnknownError) console.log((await error.resolve({ timeout: "1m" })).outcome);
 * }
 */
export class OutcomeUnknownError extends LatchkeyError {
  override readonly name = "OutcomeUnknownError";
  readonly machine: string;
  readonly id: string;
  /** Names the change on the server, and in its log. */
  readonly op: string;
  /** Server time in ms before the first attempt: with `op`, what another process needs to go on, as the option `sent`. */
  readonly sent: number;
  /** Server time in ms after which no attempt can be executed any more. */
  readonly notAfter: number;
  readonly #resolve: (options: ResolveOptions) => Promise<Resolution>;

  constructor(message: string, open: OpenOp, resolve: (options: ResolveOptions) => Promise<Resolution>) {
    super("UNKNOWN", message);
    this.machine = open.place.machine;
    this.id = open.id;
    this.op = open.op;
    this.sent = open.sentMs;
    this.notAfter = open.untilMs;
    this.#resolve = resolve;
  }

  /**
   * Asks the server what became of the change: waits for the connection, and until nothing of the change can be
   * executed any more.
   *
   * @throws OutcomeUnknownError again, when the server could not be asked in time, or that takes longer: the change may
   * still have happened. Call `resolve` again.
   */
  async resolve(options: ResolveOptions = {}): Promise<Resolution> {
    return this.#resolve(options);
  }
}

/**
 * The change was made, but fewer copies of it were acknowledged in time than were asked for: applied, not durable.
 * Repeating it is no use; it may be lost with the server. `code` is `"NOTDURABLE"`.
 */
export class NotDurableError extends LatchkeyError {
  override readonly name = "NotDurableError";
  /** The change, as it was made. */
  readonly document: Change | Replay;
  /** Of the server's own disk (0 or 1), and of replicas. */
  readonly acknowledged: Acknowledged;

  constructor(document: Change | Replay, copies: Acknowledged & { readonly problem?: string }) {
    const { machine, id, version } = document;
    const { local, replicas } = copies;
    const disk = local > 0 ? ["the server's disk"] : [];
    const others = replicas > 0 ? [`${replicas} replica${replicas > 1 ? "s" : ""}`] : [];
    const had = [...disk, ...others].join(" and ");
    const {
      problem = had === "" ? "no copy was acknowledged in time" : `only ${had} acknowledged it in time`,
    } = copies;
    super(
      "NOTDURABLE",
      `${machine} ${id} was changed and is version ${version}, but is not durable: ${problem}`,
    );
    this.document = document;
    this.acknowledged = { local, replicas };
  }
}

/** How to ask what became of a change. */
export interface ResolveOptions {
  /** How long to try. @default what the change itself had */
  readonly timeout?: Duration;
}
