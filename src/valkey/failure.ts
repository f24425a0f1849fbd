import { TimeUpError } from "./deadline.js";
import { thrownText } from "./thrown-text.js";

/**
 * What a failed call means for the change it was to make.
 * - `refused`: the script itself answered with an error; nothing was written.
 * - `not-executed`: the server or the connection turned the call away before the script ran.
 * - `unknown`: the call may or may not have been executed.
 */
export type Failure = "refused" | "not-executed" | "unknown";

/** First words of error replies that a script of latchkey gives: the call is wrong, whoever sends it. */
const REFUSED = new Set(["BADARG", "NOMACHINE", "LAYOUT"]);

/**
 * First words of replies given before a script's body runs. With `#!lua`, OOM, NOREPLICAS, MISCONF and READONLY are
 * among them (Valkey 8.0 script.c, scriptPrepareForRun); NOPERM is too, and our scripts' own NOPERM comes before
 * their first write. WRONGTYPE surfaces at the reads that precede every write.
 */
const NOT_EXECUTED = new Set(
  (
    "NOSCRIPT READONLY MOVED ASK TRYAGAIN CROSSSLOT CLUSTERDOWN LOADING MASTERDOWN BUSY NOAUTH WRONGPASS NOPERM OOM " +
    "NOREPLICAS MISCONF WRONGTYPE DENIED"
  ).split(" "),
);

/** Of those, the ones that trying again would not change. */
const LASTING = new Set("CROSSSLOT NOAUTH WRONGPASS NOPERM WRONGTYPE DENIED".split(" "));

/** The client's own text for a call that it never sent. */
const NEVER_SENT = "Stream isn't writeable and enableOfflineQueue options is false";

/** There is no connection, so that a call was not even sent. */
export class OfflineError extends Error {
  override readonly name = "OfflineError";
}

/** The server refused an attempt because it came to it after the time that the attempt was given. */
export class LateError extends Error {
  override readonly name = "LateError";

  constructor() {
    super("the server had no time for it");
  }
}

/**
 * Of a transaction that was given up: why. The reply names it only where EXEC itself was refused; else the client hangs
 * the refusals of the commands before it onto this one.
 */
function causeOf(error: unknown): unknown {
  if (!(error instanceof Error) || !error.message.startsWith("EXECABORT")) return error;
  const [, named] = /because of: (.*)$/s.exec(error.message) ?? [];
  if (named !== undefined) return new Error(named);
  const { previousErrors } = error as Error & { readonly previousErrors?: readonly unknown[] };
  return previousErrors?.[0] ?? error;
}

/** The first word of an error reply, which is its code; empty for errors that are no replies. */
export function replyCode(thrown: unknown): string {
  const error = causeOf(thrown);
  return error instanceof Error ? (/^[A-Z][A-Z0-9_]+(?= |$)/.exec(error.message)?.[0] ?? "") : "";
}

/** Decides what a failed call means. Anything unfamiliar is `unknown`: the careful answer. */
export function classifyFailure(thrown: unknown): Failure {
  const error = causeOf(thrown);
  if (!(error instanceof Error)) return "unknown";
  // iovalkey's text when redirections ran out ends with the last reply, which may follow a real execution.
  if (error.message.startsWith("Too many Cluster redirections")) return "unknown";
  if (isOffline(error) || error instanceof LateError) return "not-executed";
  const code = replyCode(error);
  if (REFUSED.has(code)) return "refused";
  if (NOT_EXECUTED.has(code)) return "not-executed";
  // An inner command was denied; reads and the first write come before all else.
  if (isInnerDenial(error)) return "not-executed";
  return "unknown";
}

function isInnerDenial(error: Error): boolean {
  return error.message.startsWith("ERR ACL failure in script");
}

/** What iovalkey and Node say where a connection was lost under a call. */
const LOST =
  /MaxRetriesPerRequest|Connection is closed|Socket timeout|Command timed out|aborted due to connection close|Too many Cluster redirections|ECONNRESET|EPIPE|ETIMEDOUT/;

/** True where a call was not sent, because there was no connection or it was being closed. */
export function isOffline(error: unknown): boolean {
  return error instanceof OfflineError || (error instanceof Error && error.message.startsWith(NEVER_SENT));
}

/** True where there was no connection, or it was lost under a call. */
export function isLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return isOffline(error) || LOST.test(`${error.name} ${error.message}`);
}

/** True where a call that failed may go better if it is tried again. */
export function mayPass(error: unknown): boolean {
  if (error instanceof TimeUpError || isLoss(error)) return true;
  if (!(error instanceof Error) || classifyFailure(error) !== "not-executed") return false;
  return !LASTING.has(replyCode(error)) && !isInnerDenial(error);
}

/** An error's text without what the client attaches to it: commands hold script texts, payloads and passwords. */
export function safeMessage(thrown: unknown): string {
  return textOf(thrown)
    .replace(/\s+script: [0-9a-f]{40}.*$/s, "")
    .slice(0, 300);
}

/** Listeners throw what they like: that must not fail here. */
function textOf(thrown: unknown): string {
  try {
    return thrownText(causeOf(thrown));
  } catch {
    return thrownText(thrown);
  }
}
