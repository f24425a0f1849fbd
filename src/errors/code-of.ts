import { isError } from "./is-error.js";

/**
 * Returns the code of an error; empty if it has none. The errors of two copies of this package have the same codes, but
 * not the same classes.
 */
export function codeOf(error: unknown): string {
  return isError(error) && "code" in error && typeof error.code === "string" ? error.code : "";
}
