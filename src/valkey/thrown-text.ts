import { inspect } from "node:util";
import { storableText } from "../contract/storable-text.js";
import { isError } from "../errors/is-error.js";

/**
 * Formats a thrown value: the message of an error, else the value. Any value can be thrown, also one that throws again
 * when it is read: an object with a getter, a proxy.
 */
export function thrownText(thrown: unknown): string {
  return textOf(thrown, ({ message }) => `${message}`);
}

/**
 * Formats a thrown value with the class of the error, its causes, and the errors of an AggregateError.
 *
 * @example "RangeError: too long\ncaused by Error: exit 1"
 */
export function thrownDetail(thrown: unknown, outer: readonly unknown[] = []): string {
  const shown = [...outer, thrown];
  const causes = shown.length <= MOST_CAUSES ? causesOf(thrown) : [];
  const own = textOf(thrown, ({ name, message }) =>
    `${message}` === "" ? `${name}` : `${name}: ${message}`,
  );
  const texts = causes
    .slice(0, MOST_CAUSES)
    .filter((cause) => !shown.includes(cause))
    .map((cause) => `\ncaused by ${thrownDetail(cause, shown)}`);
  return own + texts.join("");
}

/** Deepest and widest listing of causes. */
const MOST_CAUSES = 5;

function causesOf(thrown: unknown): unknown[] {
  try {
    if (!isError(thrown)) return [];
    const { cause, errors } = thrown as Error & { readonly errors?: unknown };
    return [...(cause == null ? [] : [cause]), ...(Array.isArray(errors) ? errors : [])];
  } catch {
    return [];
  }
}

function textOf(thrown: unknown, format: (error: Error) => string): string {
  try {
    if (isError(thrown)) return format(thrown);
  } catch {
    // Its prototype, name or message cannot be read.
  }
  try {
    const isComposite = (typeof thrown === "object" && thrown !== null) || typeof thrown === "function";
    return isComposite
      ? inspect(thrown, { depth: 3, breakLength: Number.POSITIVE_INFINITY, compact: true })
      : String(thrown);
  } catch {
    return "a value that cannot be shown as text was thrown";
  }
}

/** Longest error text in bytes. A value may have 64 KiB of JSON, which can double a text. */
const LONGEST_ERROR = 32_000;

/**
 * Makes the text of an error storable in a field: adds its causes, removes colours and control characters, and cuts it
 * after 32,000 bytes.
 *
 * @param error a thrown value, or a text such as the output of a program
 * @example await agents.transition("a1", "failed", { set: { error: errorText(error) } });
 */
export function errorText(error: unknown): string {
  return storableText(thrownDetail(error), LONGEST_ERROR, true);
}

/** Returns the stack of a thrown error; undefined if it has none. */
export function thrownStack(thrown: unknown): string | undefined {
  try {
    return isError(thrown) && typeof thrown.stack === "string" ? thrown.stack : undefined;
  } catch {
    return undefined;
  }
}
