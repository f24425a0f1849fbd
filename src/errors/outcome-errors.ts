import type { Change, Replay } from "../contract/document.js";
import type { Acknowledged } from "../contract/durability.js";
import type { Resolution, ResolveOptions, UnknownChange } from "../contract/resolution.js";
import { LatchkeyError } from "./latchkey-error.js";

/** The server did not execute the call, and will not. It can be repeated. `code` is `"NOTEXECUTED"`. */
export class NotExecutedError extends LatchkeyError {
  override readonly name = "NotExecutedError";
  /**
   * Code of the server's error reply, such as `"OOM"` or `"READONLY"`. Empty if there was none: the connection was down, or
   * the time of the call passed. `message` gives the cause in any case.
   */
  readonly reply: string;

  constructor(message: string, reply: string) {
    super("NOTEXECUTED", message);
    this.reply = reply;
  }
}

/**
 * The reply to an attempt was lost, and the server could not be asked within the timeout: the change may or may not be
 * applied. `code` is `"UNKNOWN"`.
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
  /** Idempotency key of the change. */
  readonly op: string;
  /** Position of the event log before the first attempt. Another process repeats the change with this `seen` and `op`. */
  readonly seen: string;
  /** Server time in ms after which no attempt can be executed. */
  readonly notAfter: number;
  readonly #resolve: (options: ResolveOptions) => Promise<Resolution>;

  constructor(
    message: string,
    change: UnknownChange,
    resolve: (options: ResolveOptions) => Promise<Resolution>,
  ) {
    super("UNKNOWN", message);
    this.machine = change.machine;
    this.id = change.id;
    this.op = change.op;
    this.seen = change.seen;
    this.notAfter = change.notAfter;
    this.#resolve = resolve;
  }

  /**
   * Finds out if the change was applied. Waits for the connection, and until no attempt can be executed any more.
   *
   * @throws OutcomeUnknownError again if the timeout was too short. Call `resolve` again.
   */
  async resolve(options: ResolveOptions = {}): Promise<Resolution> {
    return this.#resolve(options);
  }
}

/**
 * The change is applied, but too few disks or replicas acknowledged it in time. Do not repeat it. It can be lost with the
 * server. `code` is `"NOTDURABLE"`.
 */
export class NotDurableError extends LatchkeyError {
  override readonly name = "NotDurableError";
  /** The change that was applied. */
  readonly document: Change | Replay;
  /** Acknowledgements by the server's own disk (0 or 1), and by replicas. */
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
