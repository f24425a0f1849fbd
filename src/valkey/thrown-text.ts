/**
 * Formats a thrown value. Any value can be thrown, also one that throws again when it is read: a null-prototype object, a
 * getter, a proxy.
 *
 * @param hasName true to begin with the error's class, as in `RangeError: too long`
 */
export function thrownText(thrown: unknown, hasName = false): string {
  try {
    if (!(thrown instanceof Error)) return String(thrown);
    return hasName ? `${thrown.name}: ${thrown.message}` : `${thrown.message}`;
  } catch {
    return "a value that cannot be shown as text was thrown";
  }
}

/** Returns the stack of a thrown error; undefined if it has none. */
export function thrownStack(thrown: unknown): string | undefined {
  try {
    return thrown instanceof Error && typeof thrown.stack === "string" ? thrown.stack : undefined;
  } catch {
    return undefined;
  }
}
