import { isNativeError } from "node:util/types";

/**
 * Returns true if a value is an Error, of any context of V8: jest runs tests in one of its own, where the errors of Node
 * are not instances of `Error`.
 */
export function isError(value: unknown): value is Error {
  return value instanceof Error || isNativeError(value);
}
