import { replyCode, safeMessage } from "./failure.js";

/**
 * Why a server can't say how durable a change is.
 * - `appendonly`: it keeps no append-only file.
 * - `appendfsync`: it acknowledges changes before they are on disk.
 * - `permission`: the user may not ask.
 * - `replica`: it is no primary any more; the change may be lost.
 * - `other`: it answered with another error.
 */
export type NoConfirmation = "appendonly" | "appendfsync" | "permission" | "replica" | "other";

const TEXTS: Record<Exclude<NoConfirmation, "other">, string> = {
  appendonly: "the server keeps no append-only file: CONFIG SET appendonly yes, then CONFIG REWRITE",
  appendfsync:
    "the server acknowledges changes before they are on disk: CONFIG SET appendfsync always, then CONFIG REWRITE",
  permission: "this user may not ask for it: grant +wait +waitaof, and for disks +config|get",
  replica: "the server has become a replica meanwhile",
};

/**
 * The server can't confirm that a change is as durable as was asked for. The change itself was made: this is about
 * the question only.
 */
export class NoConfirmationError extends Error {
  override readonly name = "NoConfirmationError";
  readonly reason: NoConfirmation;

  constructor(reason: NoConfirmation, detail = "") {
    super(`durability cannot be confirmed: ${reason === "other" ? detail : TEXTS[reason]}`);
    this.reason = reason;
  }
}

/** What the error reply to WAIT, WAITAOF or CONFIG GET means; undefined for an error that is no reply. */
export function noConfirmation(error: unknown): NoConfirmationError | undefined {
  const code = replyCode(error);
  if (code === "") return undefined;
  const text = safeMessage(error);
  if (/appendonly is disabled/i.test(text)) return new NoConfirmationError("appendonly");
  if (code === "NOPERM" || /^ERR unknown (sub)?command/i.test(text))
    return new NoConfirmationError("permission");
  if (code === "UNBLOCKED" || /replica instances/i.test(text)) return new NoConfirmationError("replica");
  return new NoConfirmationError("other", text);
}
