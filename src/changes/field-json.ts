import { checkName, checkObject, refuse } from "../contract/arguments.js";
import { isError } from "../errors/is-error.js";
import { ContractError } from "../errors/latchkey-error.js";
import { isObject, kindOf } from "../machine/json-value.js";
import { FIELD_NAME } from "../machine/names.js";
import { thrownText } from "../valkey/thrown-text.js";

const MAX_VALUE_BYTES = 65_536;
/** 64 own fields, and in a restored entity the stamps of 64 states. The server counts exactly. */
const MAX_FIELDS = 128;
/** Binary data with more bytes has a longer text, whatever they are. */
const MAX_BINARY_BYTES = 8 * MAX_VALUE_BYTES;
const MAX_DEPTH = 100;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Property names and array positions on the way to a value, from the outside in. */
type Path = (string | number)[];

/**
 * Encodes own fields as `JSON.stringify` does: `toJSON` is called, and undefined members are dropped. What it would lose
 * or change silently is rejected: functions, symbols, numbers that are not finite, errors, and objects such as a Map, whose
 * content JSON cannot hold.
 *
 * @param name the argument that has the fields, for error texts
 * @returns the JSON of each field
 * @throws ContractError with code BADARG and the path of the value
 */
export function encodeFields(name: string, given: object): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  const path: Path = [name];
  try {
    if (ArrayBuffer.isView(given)) refuse(`${name} must be an object, not binary data`);
    const fields = unwrapped(given, "");
    checkObject(name, fields);
    rejectLoss(fields as object, path);
    for (const field of Object.keys(fields as object)) {
      path.push(field);
      const text = encode((fields as Readonly<Record<string, unknown>>)[field], field, path);
      path.pop();
      if (text === undefined) continue;
      checkName(FIELD_NAME, field);
      if (text.length * 3 > MAX_VALUE_BYTES && Buffer.byteLength(text) > MAX_VALUE_BYTES)
        failLong([name, field]);
      texts.set(field, text);
      if (texts.size > MAX_FIELDS)
        refuse(`${name} has more than ${MAX_FIELDS} fields; an entity has up to 64 own fields`);
    }
  } catch (cause) {
    if (cause instanceof ContractError) throw cause;
    // A getter, a proxy or toJSON of the caller threw.
    throw new ContractError("BADARG", `${path.join(".")} cannot be read: ${thrownText(cause)}`, { cause });
  }
  return texts;
}

/** @returns undefined if the value is undefined, so that its member is dropped */
function encode(given: unknown, key: string, path: Path): string | undefined {
  if (ArrayBuffer.isView(given) && given.byteLength > MAX_BINARY_BYTES) failLong(path);
  const value = unwrapped(given, key);
  switch (typeof value) {
    case "undefined":
      return undefined;
    case "string":
      return encodeText(value, path);
    case "number":
      if (!Number.isFinite(value)) fail(path, `${value} is not a JSON number`);
      return String(value);
    case "boolean":
      return String(value);
    case "object":
      if (value === null) return "null";
      if (path.length > MAX_DEPTH + 1) fail(path.slice(0, 7), "is nested too deeply or circular");
      return Array.isArray(value) ? encodeList(value, path) : encodeObject(value, path);
    default:
      fail(path, `${kindOf(value)} is not a JSON value`);
  }
}

function encodeList(list: readonly unknown[], path: Path): string {
  let text = "";
  for (let at = 0; at < list.length; at++) {
    path.push(at);
    text += `${at === 0 ? "" : ","}${encode(list[at], String(at), path) ?? "null"}`;
    path.pop();
    if (text.length > MAX_VALUE_BYTES) failLong(path);
  }
  return `[${text}]`;
}

function encodeObject(object: object, path: Path): string {
  rejectLoss(object, path);
  let text = "";
  for (const key of Object.keys(object)) {
    path.push(key);
    const encoded = encode((object as Readonly<Record<string, unknown>>)[key], key, path);
    path.pop();
    if (encoded !== undefined) text += `${text === "" ? "" : ","}${encodeText(key, path)}:${encoded}`;
    if (text.length > MAX_VALUE_BYTES) failLong(path);
  }
  return `{${text}}`;
}

function encodeText(text: string, path: Path): string {
  if (text.length > MAX_VALUE_BYTES) failLong(path);
  const json = JSON.stringify(text);
  // JSON.stringify escapes half a surrogate pair, and nothing else, in this way.
  if (json.includes("\\ud") && LONE_SURROGATE.test(text)) fail(path, "contains half of a surrogate pair");
  return json;
}

/** Calls toJSON, and takes the value out of a `String`, `Number` or `Boolean` object. */
function unwrapped(value: unknown, key: string): unknown {
  if (typeof value !== "object" && typeof value !== "bigint") return value;
  if (value === null) return value;
  const { toJSON } = value as { readonly toJSON?: unknown };
  const json = typeof toJSON === "function" ? (toJSON.call(value, key) as unknown) : value;
  const isBoxed = json instanceof String || json instanceof Number || json instanceof Boolean;
  return isBoxed ? json.valueOf() : json;
}

/** Rejects an object of which JSON would keep nothing, or not what it means. */
function rejectLoss(value: object, path: Path): void {
  if (isObject(value)) return;
  if (isError(value)) fail(path, "an Error has no JSON form; store errorText(error)");
  const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
  if (tag !== "Object" && Object.keys(value).length === 0)
    fail(path, `a ${tag} has no JSON form; convert it, for example to a list`);
}

/** Rejects the field of a value as soon as its text is too long, before the rest is encoded. */
function failLong([name, field]: Path): never {
  refuse(`${name}.${field} is longer than ${MAX_VALUE_BYTES} bytes of JSON`);
}

function fail(path: readonly (string | number)[], problem: string): never {
  refuse(`${path.join(".")}: ${problem}`);
}
