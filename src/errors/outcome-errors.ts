import type { Change, Replay } from "../contract/document.js";
import type { Acknowledged } from "../contract/durability.js";
import type { Resolution, ResolveOptions, UnknownChange } from "../contract/resolution.js";
import { LatchkeyError } from "./latchkey-error.js";

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

  constructor(
    message: string,
    change: UnknownChange,
    resolve: (options: ResolveOptions) => Promise<Resolution>,
  ) {
    super("UNKNOWN", message);
    this.machine = change.machine;
    this.id = change.id;
    this.op = change.op;
    this.sent = change.sent;
    this.notAfter = change.notAfter;
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
