import type { Valkey } from "iovalkey";
import { type Reply, readReply } from "../contract/reply.js";
import { LatchkeyError } from "../errors/latchkey-error.js";
import type { Script } from "../lua/index.js";
import { contractError, notMade } from "./ask.js";
import type { Connection, Server } from "./connection.js";
import { Deadline, TimeUpError } from "./deadline.js";
import { classifyFailure, isOffline, LateError, OfflineError, replyCode } from "./failure.js";
import { hint } from "./hint.js";
import type { Recover } from "./machine-store.js";
import { retry } from "./retry.js";
import { runScript } from "./script.js";

/** All attempts at one call of a script. This is the one place that knows if an attempt was, or may still be, executed. */
export class ScriptCall {
  readonly #script: Script;
  readonly #keys: readonly string[];
  readonly #recover: Recover;
  #openUntilMs: number | undefined;

  constructor(script: Script, keys: readonly string[], recover: Recover = () => Promise.resolve(false)) {
    this.#script = script;
    this.#keys = keys;
    this.#recover = recover;
  }

  /**
   * Server time in ms until which an attempt may be executed whose reply was lost, 0 if that has passed; undefined if all
   * attempts were answered.
   */
  get openUntilMs(): number | undefined {
    return this.#openUntilMs;
  }

  /** Notes that an earlier attempt, also of another process, may be executed until a server time. */
  open(untilMs: number): void {
    this.#openUntilMs = untilMs;
  }

  /** Notes that no attempt is open: all were executed, or can no longer be. */
  close(): void {
    this.#openUntilMs = undefined;
  }

  /**
   * Sends one attempt.
   *
   * @param args arguments of the script, NOTAFTER included
   * @param untilMs the NOTAFTER: server time in ms after which it is not executed; null if it has no effect
   * @throws the client's error, unchanged
   */
  async send(
    client: Valkey,
    args: readonly string[],
    untilMs: number | null = Number.POSITIVE_INFINITY,
  ): Promise<Reply> {
    // It rejects a call that it does not send like one whose reply was lost.
    if (client.status === "end") throw new OfflineError();
    const before = this.#openUntilMs;
    if (untilMs !== null) this.#openUntilMs = Math.max(before ?? 0, untilMs);
    let reply: unknown;
    try {
      reply = await runScript(client, this.#script, this.#keys, args);
    } catch (error) {
      if (isAnswerForAll(client, error)) this.#openUntilMs = before;
      if (replyCode(error) === "NOMACHINE" && (await this.#recover())) throw new LateError();
      throw error;
    }
    this.#openUntilMs = before;
    return readReply(reply);
  }
}

/**
 * Returns whether a failure proves that the attempt was not executed. A caller's own client may send a call again by itself:
 * then the error can be the answer to a second copy, and the first one may have been executed.
 */
function isAnswerForAll({ options }: Valkey, error: unknown): boolean {
  const failure = classifyFailure(error);
  const mayResend = options.autoResendUnfulfilledCommands !== false && options.maxRetriesPerRequest !== 0;
  if (!mayResend || isOffline(error)) return failure !== "unknown";
  return failure === "refused" && replyCode(error) !== "NOMACHINE";
}

/** A call that has the same effect if it is executed more than once. */
export interface RepeatableCall {
  /** Name of the call, for errors. */
  readonly name: string;
  readonly script: Script;
  readonly keys: readonly string[];
  /** Arguments of the script, without NOTAFTER. */
  readonly words: readonly string[];
  /** Time limit in ms, retries included. */
  readonly timeoutMs: number;
  /** The caller's own limit, in ms of server time; null if the script takes no NOTAFTER. */
  readonly notAfter?: number | null | undefined;
  /** Result of the call if it may have been executed, for the error. */
  readonly effect: string;
  readonly recover?: Recover | undefined;
}

/**
 * Sends a repeatable call until the server replies. Each attempt carries a NOTAFTER, if the script takes one, so that none
 * is executed after the caller got an error.
 *
 * @throws NotExecutedError if no attempt was executed; LatchkeyError with code UNKNOWN if the reply to an attempt was
 * lost; ContractError or LayoutError if a retry cannot help
 */
export async function callUntilAnswered(root: Connection, options: RepeatableCall): Promise<Reply> {
  const { name, words, effect, notAfter = Number.POSITIVE_INFINITY } = options;
  const connection = root.of(options.keys[0] ?? "");
  const deadline = Deadline.in(options.timeoutMs);
  const call = new ScriptCall(options.script, options.keys, options.recover);
  const unknown = (why: string): LatchkeyError =>
    new LatchkeyError("UNKNOWN", `${name}: the reply was lost, and ${effect}: ${why}; send it again`);

  async function attempt(client: Valkey, server: Server): Promise<Reply> {
    if (notAfter === null) return call.send(client, words);
    const clock = await server.clock.know();
    if (deadline.isOver) throw new TimeUpError(); // the caller has its error by now
    const limit = Math.max(0, Math.min(notAfter, clock.earliest(deadline.endsAt)));
    const reply = await call.send(client, [...words, "NOTAFTER", String(limit)], limit);
    if (reply.outcome !== "EXPIRED") return reply;
    if (limit < notAfter) {
      // Not the caller's limit: the server was slow, or its clock was set.
      if (!deadline.isOver) server.clock.forget();
      throw new LateError();
    }
    // EXPIRED does not prove that a lost attempt was not executed. All other rejections show the current state.
    if (call.openUntilMs !== undefined) throw unknown("notAfter has passed");
    return reply;
  }

  try {
    return await retry(connection, deadline, name, attempt);
  } catch (error) {
    const rejection = contractError(error, name);
    if (rejection !== undefined) throw rejection;
    if (call.openUntilMs === undefined) throw notMade(error, name, connection.place, "writer");
    throw unknown(hint(error, connection.place));
  }
}
