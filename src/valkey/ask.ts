import type { Valkey } from "iovalkey";
import { checkDuration, checkOptions, checkSignal } from "../contract/arguments.js";
import { ClosedError } from "../errors/closed-error.js";
import { ConnectError } from "../errors/connect-error.js";
import { ContractError, LatchkeyError } from "../errors/latchkey-error.js";
import { LayoutError } from "../errors/layout-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import type { Duration } from "../machine/duration.js";
import type { Connection } from "./connection.js";
import { Deadline, TimeUpError } from "./deadline.js";
import { classifyFailure, isLoss, isOffline, replyCode, safeMessage } from "./failure.js";
import type { MachineStore, Recover } from "./machine-store.js";
import { onAbort } from "./on-abort.js";
import { missingPermission } from "./permission.js";
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

/** Texts of error replies that the server gives before it executes anything. */
const HINTS = new Map([
  ["OOM", "the server is out of memory"],
  ["READONLY", "the server is a replica"],
  ["NOAUTH", "authentication required; give a user and a password"],
  ["BUSY", "the server is running a slow script"],
  ["LOADING", "the server is loading its data"],
  ["MISCONF", "the server cannot save its data"],
  ["NOREPLICAS", "too few replicas are connected to the server"],
  ["MASTERDOWN", "the server is a replica without its primary"],
  ["WRONGTYPE", "wrong key type: not written by latchkey"],
]);

/** Converts the failure of a change that was not executed. */
export function notMade(error: unknown, name: string, address: string): Error {
  return (
    contractError(error, name) ??
    new NotExecutedError(`${name} was not executed: ${hint(error, address)}`, serverCode(error))
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

/** Names of the options of every read. */
export const READ_OPTIONS: readonly (keyof ReadOptions)[] = ["timeout", "signal"];

/** Limits of the questions of one call. */
export interface Limits {
  /** End of all questions together. Without it, each has `timeoutMs`. */
  readonly deadline?: Deadline;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
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
  options: ReadOptions,
  known: readonly string[] = [],
): T & Limits & { readonly timeoutMs: number; readonly deadline: Deadline } {
  checkOptions(options, [...known, ...READ_OPTIONS]);
  const { timeout, signal } = options;
  checkSignal(signal);
  const timeoutMs = timeout === undefined ? store.connection.timeoutMs : checkDuration("timeout", timeout);
  return { ...store, timeoutMs, deadline: Deadline.in(timeoutMs), signal };
}

/**
 * Asks the server a question that is safe to repeat. Retries until there is a reply, or the time is up.
 *
 * @param what name of the question, for the error
 * @throws NotExecutedError if there was no reply, or an error reply; the reason of the signal
 */
export async function ask<T>(
  connection: Connection,
  what: string,
  question: (client: Valkey) => Promise<T>,
  { timeoutMs = connection.timeoutMs, deadline = Deadline.in(timeoutMs), signal, recover }: Limits = {},
): Promise<T> {
  signal?.throwIfAborted();
  const attempts = (): Promise<T> => retry(connection, deadline, what, () => question(connection.client));
  const work = askOnce(connection, what, () =>
    attempts().catch(async (error: unknown) => {
      if (recover === undefined || !isNoMachine(error) || !(await deadline.race(recover()))) throw error;
      return attempts();
    }),
  );
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
 * Asks the server once.
 *
 * @throws NotExecutedError if there was no reply, or an error reply; ClosedError; other errors of latchkey as they are
 */
export async function askOnce<T>(
  connection: Connection,
  what: string,
  question: () => Promise<T>,
): Promise<T> {
  try {
    return await question();
  } catch (error) {
    if (error instanceof LatchkeyError && !(error instanceof ConnectError)) throw error;
    if (connection.isClosed) throw new ClosedError();
    const reply = serverCode(error);
    const became = reply === "" ? "not answered" : "rejected";
    throw new NotExecutedError(`${what} was ${became}: ${hint(error, connection.address)}`, reply);
  }
}

/** Returns the code of an error reply. A denial inside a script has one too. */
function serverCode(error: unknown): string {
  return missingPermission(safeMessage(error)) === undefined ? replyCode(error) : "NOPERM";
}

/** Explains why a call got no reply. */
export function hint(error: unknown, address: string): string {
  const missing = missingPermission(safeMessage(error));
  if (missing !== undefined)
    return `${missing.text}; \`latchkey doctor\` prints the ACL line that grants it (${missing.code})`;
  const known = HINTS.get(replyCode(error));
  if (known !== undefined) return `${known} (${safeMessage(error)})`;
  if (isOffline(error)) return `not connected to ${address}`;
  if (error instanceof TimeUpError) return `${address} did not answer in time`;
  if (isLoss(error)) return `the connection to ${address} was lost`;
  return safeMessage(error);
}
