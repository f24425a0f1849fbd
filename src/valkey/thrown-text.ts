/**
 * A thrown value as text. Anything can be thrown, also what throws once more when it is looked at: a null-prototype
 * object, a getter, a proxy.
 *
 * @param hasName whether an error's class goes in front, as in `RangeError: too long`
 */
export function thrownText(thrown: unknown, hasName = false): string {
  try {
    if (!(thrown instanceof Error)) return String(thrown);
    return hasName ? `${thrown.name}: ${thrown.message}` : `${thrown.message}`;
  } catch {
    return "something was thrown that can't be told as text";
  }
}

/** Where a thrown error comes from; undefined where that can't be told. */
export function thrownStack(thrown: unknown): string | undefined {
  try {
    return thrown instanceof Error && typeof thrown.stack === "string" ? thrown.stack : undefined;
  } catch {
    return undefined;
  }
}
