import { LatchkeyError } from "../errors/latchkey-error.js";

/** Reply of a script: its outcome, the JSON text of a document, and a position of the event log. */
export interface Reply {
  readonly outcome: string;
  readonly text: string | null;
  /** Position of the change (OK), or end of the event log (FORGOTTEN). */
  readonly position: string | null;
}

/** Decodes the array that a script returns. @throws LatchkeyError with code PROTOCOL if it is anything else */
export function readReply(reply: unknown): Reply {
  if (Array.isArray(reply) && reply.length === 3) {
    const [outcome, text, position]: unknown[] = reply;
    if (typeof outcome === "string" && isTextOrNull(text) && isTextOrNull(position))
      return { outcome, text, position };
  }
  throw new LatchkeyError(
    "PROTOCOL",
    "not a reply of a latchkey script; check for a proxy that rewrites calls",
  );
}

function isTextOrNull(value: unknown): value is string | null {
  return typeof value === "string" || value === null;
}

/** Makes the error of an outcome that no script of this version returns. */
export function unknownOutcome(outcome: string): LatchkeyError {
  return new LatchkeyError("PROTOCOL", `unknown outcome ${outcome} in the reply of a script`);
}
