import type { Valkey } from "iovalkey";
import { checkDuration, checkOptions, checkSignal, checkWord } from "../contract/arguments.js";
import { ClosedError } from "../errors/closed-error.js";
import { ConnectError } from "../errors/connect-error.js";
import { ContractError, LatchkeyError } from "../errors/latchkey-error.js";
import { LayoutError } from "../errors/layout-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import type { Duration } from "../machine/duration.js";
import { isLastingFailure } from "./connect-error.js";
import type { Connection, Server } from "./connection.js";
import { Deadline } from "./deadline.js";
import { classifyFailure, isLasting, replyCode, safeMessage } from "./failure.js";
import { hint } from "./hint.js";
import type { MachineStore, Recover } from "./machine-store.js";
import { onAbort } from "./on-abort.js";
import type { Place } from "./place.js";
import { retry } from "./retry.js";

/** Texts of the scripts' own error replies. */
const CONTRACT_TEXTS = new Map([
  ["NOMACHINE apply it first", "the machine is not installed in this namespace; apply it first"],
  ["BADARG field", "stamps are managed by the machine and cannot be set or unset; omit the field"],
  ["BADARG SET", "the entity would exceed 64 own fields or 256 KiB; unset some"],
  ["BADARG UNSET", "at most 64 fields can be unset in one call"],
  ["BADARG to", "the machine has no such state"],
  ["BADARG created", "createdAt must be before the year 2286, and not after since"],
  ["BADARG since", "since must be after 2001-09-09, not before createdAt, and not in the future"],
  ["BADARG version", "the version must be from 1 to 999999999999"],
  ["BADARG SEEN", "seen is too far ahead: give the end of the log that the entity comes from"],
  ["BADARG MAP", "map must map states that the new version drops to states that it has"],
  ["BADARG states", "too many states were installed under this machine name; use another name"],
]);

/** Converts the failure of a change that was not executed. @param role role that has the permissions of the change */
export function notMade(error: unknown, name: string, place: Place, role: string): Error {
  return (
    contractError(error, name) ??
    new NotExecutedError(`${name} was not executed: ${hint(error, place, role)}`, replyCode(error))
  );
}

/** Converts the rejection of a malformed call by a script; undefined for other failures. */
export function contractError(error: unknown, name: string): Error | undefined {
  if (error instanceof LatchkeyError) return error;
  if (classifyFailure(error) !== "refused") return undefined;
  const code = replyCode(error);
  if (code === "LAYOUT") {
    return new LayoutError(
      `${name}: another version of latchkey wrote the data, in a layout unknown to this one`,
    );
  }
  const text = safeMessage(error);
  return new ContractError(
    code === "NOMACHINE" ? code : "BADARG",
    `${name}: ${CONTRACT_TEXTS.get(text) ?? text}`,
  );
}

/** Options of a read. */
export interface ReadOptions {
  /**
   * Time limit of the call, retries included.
   * @default the `timeout` of `connect`, else "5s"
   */
  readonly timeout?: Duration;
  /** Ends the call when aborted: it is rejected with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Options of a read of entities. */
export interface EntityReadOptions extends ReadOptions {
  /**
   * `"replica"` reads from a replica of the server, which takes load off the primary. The reply can be outdated: it can
   * lack acknowledged changes, also those of this process. Do not base a decision on it, except a change with `ifVersion` or
   * `ifState`. If no replica can be read, the primary answers.
   * @default "primary"
   */
  readonly reads?: "primary" | "replica";
}

/** Names of the options of every read. */
export const READ_OPTIONS: readonly (keyof ReadOptions)[] = ["timeout", "signal"];

/** Limits of the questions of one call. */
export interface Limits {
  /** End of all questions together. Without it, each has `timeoutMs`. */
  readonly deadline?: Deadline;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Server that the questions are asked. */
  readonly reads?: EntityReadOptions["reads"];
  /** Installs a machine that the server has lost. The question is then asked again, once. */
  readonly recover?: Recover | undefined;
}

/** A store, and the limits of the call that reads it. */
export interface LimitedStore extends MachineStore, Limits {}

/**
 * Checks the options of a read, and starts its time.
 *
 * @param known names of its further options
 * @returns the limits, together with all that `store` has
 * @throws ContractError with code BADARG if an option is unknown or invalid
 */
export function limited<T extends { readonly connection: Connection }>(
  store: T,
  options: EntityReadOptions,
  known: readonly string[] = [],
): T & Limits & { readonly timeoutMs: number; readonly deadline: Deadline } {
  checkOptions(options, [...known, ...READ_OPTIONS]);
  const { timeout, signal, reads = "primary" } = options;
  checkSignal(signal);
  checkWord("reads", reads, ["primary", "replica"]);
  const timeoutMs = timeout === undefined ? store.connection.timeoutMs : checkDuration("timeout", timeout);
  return { ...store, timeoutMs, deadline: Deadline.in(timeoutMs), signal, reads };
}

/**
 * Asks the server a question that is safe to repeat. Retries until there is a reply, or the time is up. With
 * `reads: "replica"` asks a replica first, once.
 *
 * @param what name of the question, for the error
 * @throws NotExecutedError if there was no reply, or an error reply; the reason of the signal
 */
export async function ask<T>(
  connection: Connection,
  what: string,
  question: (client: Valkey, server: Server) => Promise<T>,
  {
    timeoutMs = connection.timeoutMs,
    deadline = Deadline.in(timeoutMs),
    signal,
    recover,
    reads,
  }: Limits = {},
): Promise<T> {
  signal?.throwIfAborted();
  const attempts = (): Promise<T> => retry(connection, deadline, what, question);
  const work = runQuestion(connection, what, async () => {
    const reply = reads === "replica" ? await connection.replica?.ask(question, deadline) : undefined;
    if (reply !== undefined) return reply[0];
    return attempts().catch(async (error: unknown) => {
      if (recover === undefined || !isNoMachine(error) || !(await deadline.race(recover()))) throw error;
      return attempts();
    });
  });
  return unlessAborted(work, signal);
}

/** Returns whether a question got no answer, or an error reply that may pass: the server is unreachable or out of service. */
export function isUnreachable(error: unknown): error is NotExecutedError {
  return error instanceof NotExecutedError && !isLasting(error.reply);
}

/** Errors without a reply of servers that no retry can reach. */
const hopeless = new WeakSet<Error>();

/** Returns whether a server is unreachable or out of service, and may return by itself: false if it rejects the user. */
export function isAway(error: unknown): error is NotExecutedError {
  return isUnreachable(error) && !hopeless.has(error);
}

/** Returns the result of the work. @throws its error; the reason of the signal, as soon as it is aborted */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const unlisten = onAbort(signal, () => reject(signal.reason));
    work.then(resolve, reject).finally(unlisten);
  });
}

/** Returns whether the server has no such machine, as a script replied or a read found. */
function isNoMachine(error: unknown): boolean {
  return error instanceof LatchkeyError ? error.code === "NOMACHINE" : replyCode(error) === "NOMACHINE";
}

/**
 * Runs a question once, and converts its failure.
 *
 * @throws NotExecutedError if there was no reply, or an error reply; ClosedError; other errors of latchkey as they are
 */
export async function runQuestion<T>(
  connection: Connection,
  what: string,
  question: () => Promise<T>,
): Promise<T> {
  try {
    return await question();
  } catch (error) {
    if (error instanceof LatchkeyError && !(error instanceof ConnectError)) throw error;
    if (connection.isClosed) throw new ClosedError();
    const reply = replyCode(error);
    const became = reply === "" ? "not answered" : "rejected";
    const failure = new NotExecutedError(`${what} was ${became}: ${hint(error, connection.place)}`, reply);
    if (reply === "" && isLastingFailure(connection.place.error)) hopeless.add(failure);
    throw failure;
  }
}
