/** A value that JSON can represent. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** A path in a value: property names and array positions from the outside in. */
export type Keys = readonly (string | number)[];

const MAX_DEPTH = 100;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Returns true for a plain object of any realm, but not for arrays or class instances. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Names the type of a value for an error text: `text`, `an array`, `null`… */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  if (typeof value === "string") return "text";
  if (typeof value === "object") return isObject(value) ? "an object" : "a class instance";
  return `a ${typeof value}`;
}

/** Formats a value for an error text: texts, numbers and booleans as JSON, all others by their type. */
export function shown(value: unknown): string {
  if (typeof value === "string") {
    return value.length > 60 ? `${JSON.stringify(value.slice(0, 60))}…` : JSON.stringify(value);
  }
  return typeof value === "number" || typeof value === "boolean" ? String(value) : kindOf(value);
}

/**
 * Finds the first part of a value that JSON cannot represent.
 *
 * @param value any value
 * @param keys the path of the value; the keys of the result start with it
 * @returns undefined if JSON can represent the value
 */
export function findNonJson(value: unknown, keys: Keys): { keys: Keys; message: string } | undefined {
  if (value === null || typeof value === "boolean") return undefined;
  if (typeof value === "string") {
    return LONE_SURROGATE.test(value) ? { keys, message: "contains half of a surrogate pair" } : undefined;
  }
  if (typeof value === "number") {
    return Number.isFinite(value) ? undefined : { keys, message: `${value} is not a JSON number` };
  }
  if (!Array.isArray(value) && !isObject(value))
    return { keys, message: `${kindOf(value)} is not a JSON value` };
  if (keys.length > MAX_DEPTH) return { keys: keys.slice(0, 6), message: "is nested too deeply or circular" };
  if (Array.isArray(value)) {
    for (const [at, item] of value.entries()) {
      const found = findNonJson(item, [...keys, at]);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  for (const [key, item] of Object.entries(value)) {
    if (LONE_SURROGATE.test(key)) return { keys, message: "has a key with half of a surrogate pair" };
    const found = findNonJson(item, [...keys, key]);
    if (found !== undefined) return found;
  }
  return undefined;
}
