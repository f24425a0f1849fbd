import { storableText } from "../contract/storable-text.js";
import { isError } from "../errors/is-error.js";

/**
 * Formats a thrown value. Any value can be thrown, also one that throws again when it is read: a null-prototype object, a
 * getter, a proxy.
 *
 * @param hasName true to begin with the error's class, as in `RangeError: too long`
 */
export function thrownText(thrown: unknown, hasName = false): string {
  try {
    if (!isError(thrown)) return String(thrown);
    return hasName ? `${thrown.name}: ${thrown.message}` : `${thrown.message}`;
  } catch {
    return "a value that cannot be shown as text was thrown";
  }
}

/** Longest error text in bytes. A value may have 64 KiB of JSON, which can double a text. */
const LONGEST_ERROR = 32_000;

/**
 * Makes the text of an error storable in a field: removes colours and control characters, and cuts it after 32,000 bytes.
 *
 * @param error a thrown value, or a text such as the output of a program
 * @example await agents.transition("a1", "failed", { set: { error: errorText(error) } });
 */
export function errorText(error: unknown): string {
  return storableText(thrownText(error, true), LONGEST_ERROR, true);
}

/** Returns the stack of a thrown error; undefined if it has none. */
export function thrownStack(thrown: unknown): string | undefined {
  try {
    return isError(thrown) && typeof thrown.stack === "string" ? thrown.stack : undefined;
  } catch {
    return undefined;
  }
}
