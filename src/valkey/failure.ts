import { codeOf } from "../errors/code-of.js";
import { isError } from "../errors/is-error.js";
import { TimeUpError } from "./deadline.js";
import { isInnerDenial } from "./permission.js";
import type { Place } from "./place.js";
import { thrownText } from "./thrown-text.js";

/**
 * Effect of a failed call.
 * - `refused`: the script itself returned an error; nothing was written.
 * - `not-executed`: the server or the connection failed before the script ran.
 * - `unknown`: the call may or may not be executed.
 */
export type Failure = "refused" | "not-executed" | "unknown";

/** Codes of the scripts' own error replies: the call is invalid, whoever sends it. */
const REFUSED = new Set(["BADARG", "NOMACHINE", "LAYOUT"]);

/**
 * Codes of replies given before a script's body runs. With `#!lua`, OOM, NOREPLICAS, MISCONF and READONLY are
 * among them (Valkey 8.0 script.c, scriptPrepareForRun); NOPERM is too; our scripts' own NOPERM, and the first denial of a
 * command inside a script, come before the first write. WRONGTYPE surfaces at the reads that precede every write.
 */
const NOT_EXECUTED = new Set(
  (
    "NOSCRIPT READONLY MOVED ASK TRYAGAIN CROSSSLOT CLUSTERDOWN LOADING MASTERDOWN BUSY NOAUTH WRONGPASS NOPERM OOM " +
    "NOREPLICAS MISCONF WRONGTYPE DENIED"
  ).split(" "),
);

/** Codes of these that a retry does not change. */
const LASTING = new Set("CROSSSLOT NOAUTH WRONGPASS NOPERM WRONGTYPE DENIED".split(" "));

/** The client's text for a call that it did not send. */
const NEVER_SENT = "Stream isn't writeable and enableOfflineQueue options is false";

/** The call was not sent, because there is no connection. */
export class OfflineError extends Error {
  override readonly name = "OfflineError";

  /** The server that is not connected, if it is known here: it can be another one than that of the call. */
  readonly place: Place | undefined;

  constructor(place?: Place) {
    super("not connected", { cause: place?.error });
    this.place = place;
  }
}

/** Addresses of the nodes of clusters that rejected a command, by the error. */
const senders = new WeakMap<Error, string>();

/** Notes which node of a cluster rejected a command. */
export function noteSender(error: Error, address: string): void {
  senders.set(error, address);
}

/** Returns the address of the node that rejected a command; undefined outside of a cluster. */
export function senderOf(error: unknown): string | undefined {
  return isError(error) ? senders.get(error) : undefined;
}

/** The call was not sent, because its time passed while it waited for others in this process. */
export class BacklogError extends Error {
  override readonly name = "BacklogError";
}

/** The server executed an attempt after its NOTAFTER, and rejected it. */
export class LateError extends Error {
  override readonly name = "LateError";

  constructor() {
    super(
      "the time of the call passed before the server executed it; increase `timeout` (--timeout) if that repeats",
    );
  }
}

/**
 * Finds the cause of a discarded transaction. The reply names it only if EXEC itself failed; otherwise the client attaches
 * the errors of the earlier commands.
 */
function causeOf(error: unknown): unknown {
  if (!isError(error) || !error.message.startsWith("EXECABORT")) return error;
  const [, named] = /because of: (.*)$/s.exec(error.message) ?? [];
  if (named !== undefined) return new Error(named);
  const { previousErrors } = error as Error & { readonly previousErrors?: readonly unknown[] };
  return previousErrors?.[0] ?? error;
}

/**
 * Returns the code of an error reply, which is its first word, or NOPERM if a command inside the script was denied; empty for
 * other errors.
 */
export function replyCode(thrown: unknown): string {
  const error = causeOf(thrown);
  if (!isError(error)) return "";
  if (isInnerDenial(error.message)) return "NOPERM";
  return /^[A-Z][A-Z0-9_]+(?= |$)/.exec(error.message)?.[0] ?? "";
}

/** Stands for the host of a node of a cluster that announces host names and has none yet. */
export const UNKNOWN_HOST = "?";

/** A reply MOVED or ASK of a cluster's node: another node holds the slot, or receives it. */
export interface Redirection {
  readonly kind: "MOVED" | "ASK";
  readonly slot: number;
  readonly host: string;
  readonly port: number;
}

/**
 * Reads a reply MOVED or ASK, also if it discarded a transaction; undefined for other errors, and if the host is unknown.
 *
 * @param origin host of the node that replied, for a reply without a host
 */
export function redirectionOf(thrown: unknown, origin = "localhost"): Redirection | undefined {
  const error = causeOf(thrown);
  if (!isError(error)) return undefined;
  const [, kind, slot, host = "", port] = /^(MOVED|ASK) (\d+) (.*):(\d+)$/.exec(error.message) ?? [];
  if ((kind !== "MOVED" && kind !== "ASK") || host === UNKNOWN_HOST) return undefined;
  return { kind, slot: Number(slot), host: host || origin, port: Number(port) };
}

/** Classifies a failed call. An unfamiliar error is `unknown`, to be safe. */
export function classifyFailure(thrown: unknown): Failure {
  const error = causeOf(thrown);
  if (!isError(error)) return "unknown";
  // After too many redirections iovalkey's text ends with the last reply, which may follow an execution.
  if (error.message.startsWith("Too many Cluster redirections")) return "unknown";
  if (isOffline(error) || error instanceof LateError || error instanceof BacklogError) return "not-executed";
  const code = replyCode(error);
  if (REFUSED.has(code)) return "refused";
  if (NOT_EXECUTED.has(code)) return "not-executed";
  return "unknown";
}

/** Texts of iovalkey and Node for a connection that was lost during a call. */
const LOST =
  /MaxRetriesPerRequest|Connection is closed|Socket timeout|Command timed out|aborted due to connection close|Too many Cluster redirections|ECONNRESET|EPIPE|ETIMEDOUT/;

/** Returns whether a call was not sent, because there was no connection or it was closing. */
export function isOffline(error: unknown): boolean {
  return error instanceof OfflineError || (isError(error) && error.message.startsWith(NEVER_SENT));
}

/** Returns whether there was no connection, or it was lost during a call. */
export function isLoss(error: unknown): boolean {
  if (!isError(error)) return false;
  return isOffline(error) || LOST.test(`${error.name} ${error.message}`);
}

/** Returns whether a retry of a failed call may succeed. */
export function mayPass(error: unknown): boolean {
  if (error instanceof TimeUpError || isLoss(error)) return true;
  if (!isError(error) || classifyFailure(error) !== "not-executed") return false;
  return !isLasting(replyCode(error));
}

/** Returns whether a retry cannot help after an error reply with this code. */
export function isLasting(code: string): boolean {
  return LASTING.has(code);
}

/** Texts of the client that name its own options or internals, and the words to show instead. */
const CLIENT_TEXTS: readonly (readonly [text: RegExp, words: string])[] = [
  [/^All sentinels are unreachable.*? Last error: /s, "no Sentinel names a primary: "],
  [/^All sentinels are unreachable.*/s, "no Sentinel names a primary"],
  [/^Ready check failed: /, ""],
  [/Reached the max retries per request limit.*/s, "the connection was lost"],
  [/Command aborted due to connection close/, "the connection was lost"],
  [/Connection is closed\.$/, "the connection was closed"],
  [/Stream isn't writeable and enableOfflineQueue.*/s, "not connected"],
  [/Socket timeout\. .* in (\d+)ms\.$/, "the server was silent for $1 ms"],
  [/Command timed out$/, "no answer in time"],
  [/connect ETIMEDOUT$/, "no connection in time"],
  [/Protocol error, got .*/s, "the reply is not in the Valkey protocol"],
];

/**
 * Returns an error's text without the command, which can contain script texts, payloads and passwords. Texts of the client
 * are replaced, because they name options that latchkey does not have.
 */
export function safeMessage(thrown: unknown): string {
  return CLIENT_TEXTS.reduce((text, [of, words]) => text.replace(of, words), causeText(thrown))
    .replace(/\s+script: [0-9a-f]{40}.*$/s, "")
    .slice(0, 300);
}

/** Formats any thrown value without throwing itself. Never returns an empty text. */
function causeText(thrown: unknown): string {
  try {
    return thrownText(causeOf(thrown)) || codeOf(thrown) || "an error without a text";
  } catch {
    return thrownText(thrown);
  }
}
