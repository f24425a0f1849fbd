import { replyCode, safeMessage } from "./failure.js";

/**
 * Reason why a server cannot confirm the durability of a change.
 * - `appendonly`: it has no append-only file.
 * - `appendfsync`: it acknowledges changes before they are on disk.
 * - `permission`: the user lacks a permission.
 * - `replica`: it is no longer the primary; the change may be lost.
 * - `other`: it returned another error.
 */
export type NoConfirmation = "appendonly" | "appendfsync" | "permission" | "replica" | "other";

const TEXTS: Record<Exclude<NoConfirmation, "other">, string> = {
  appendonly: "the server has no append-only file: CONFIG SET appendonly yes, then CONFIG REWRITE",
  appendfsync:
    "the server acknowledges changes before they are on disk: CONFIG SET appendfsync always, then CONFIG REWRITE",
  permission: "this user lacks a permission: grant +wait, and for disks +waitaof +config|get",
  replica: "the server has become a replica",
};

/** The server cannot confirm the durability of a change, which was applied nevertheless. */
export class NoConfirmationError extends Error {
  override readonly name = "NoConfirmationError";
  readonly reason: NoConfirmation;

  constructor(reason: NoConfirmation, detail = "") {
    super(`durability cannot be confirmed: ${reason === "other" ? detail : TEXTS[reason]}`);
    this.reason = reason;
  }
}

/** Converts an error reply to WAIT, WAITAOF or CONFIG GET; undefined for other errors. */
export function noConfirmation(error: unknown): NoConfirmationError | undefined {
  const code = replyCode(error);
  if (code === "") return undefined;
  const text = safeMessage(error);
  if (/appendonly is disabled/i.test(text)) return new NoConfirmationError("appendonly");
  if (code === "NOPERM" || isUnknownCommand(error)) return new NoConfirmationError("permission");
  if (code === "UNBLOCKED" || /replica instances/i.test(text)) return new NoConfirmationError("replica");
  return new NoConfirmationError("other", text);
}

/** Returns true if the server does not have the command, or its configuration hides it. */
export function isUnknownCommand(error: unknown): boolean {
  return /^ERR unknown (sub)?command/i.test(safeMessage(error));
}
