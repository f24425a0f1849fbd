import { Writable } from "node:stream";
import { inspect } from "node:util";
import { pino } from "pino";
import { expect } from "vitest";
import { scripts } from "../../src/lua/index.js";

/** Every text that can be reached from a value: properties of all kinds, own and inherited, to any depth. */
export function textsIn(value: unknown, seen = new Set<unknown>()): string[] {
  if (typeof value === "string") return [value];
  if (typeof value === "symbol") return [String(value)];
  if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value))
    return [];
  seen.add(value);
  if (value instanceof Uint8Array) return [Buffer.from(value).toString()];
  const entries = value instanceof Map || value instanceof Set ? [...value.entries()] : [];
  return [...propertiesOf(value), ...entries].flatMap(([key, part]) => [
    ...textsIn(key, seen),
    ...textsIn(part, seen),
  ]);
}

/** Returns an object's own properties, and those that its classes compute. */
function propertiesOf(value: object): [key: string | symbol, part: unknown][] {
  const own = Reflect.ownKeys(value).map((key): [string | symbol, unknown] => [key, Reflect.get(value, key)]);
  const computed: [string | symbol, unknown][] = [];
  for (
    let kind = Reflect.getPrototypeOf(value);
    kind !== null && kind !== Object.prototype && kind !== Function.prototype;
    kind = Reflect.getPrototypeOf(kind)
  ) {
    for (const [key, { get }] of Object.entries(Object.getOwnPropertyDescriptors(kind))) {
      if (get !== undefined) computed.push([key, get.call(value)]);
    }
  }
  return [...own, ...computed];
}

/** Returns the same, and what printing or logging the value would show. */
export function allTextsOf(value: unknown): string[] {
  const shown = inspect(value, { depth: 20, showHidden: true, maxStringLength: null, maxArrayLength: null });
  return [...textsIn(value), String(value), shown];
}

/** Returns the lines of a script that would reveal it. Short lines may be in any text. */
const SCRIPT_LINES = [
  "#!lua",
  ...new Set(
    Object.values(scripts).flatMap(({ text }) =>
      text
        .split("\n")
        .map((line) => line.trim())
        .filter((line) => line.length >= 24),
    ),
  ),
];

/**
 * Returns the forms of a secret in a text: as it is, its plain core, which no quoting changes, and as binary data is
 * written.
 */
function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const cores = secret.split(/[^A-Za-z0-9]+/).filter((core) => core.length >= 8);
  return [
    secret,
    ...cores,
    bytes.toString("base64").replace(/=+$/, ""),
    bytes.toString("base64url"),
    bytes.toString("hex"),
  ];
}

/** Returns which of these secrets and scripts are in any of the texts. */
export function secretsIn(texts: readonly string[], secrets: readonly string[]): string[] {
  const all = texts.join("\n");
  return [...secrets.flatMap(formsOf), ...SCRIPT_LINES].filter((secret) => all.includes(secret));
}

/** Fails where a text holds one of these secrets in any form, or a line of a script. */
export function expectNoSecrets(texts: readonly string[], secrets: readonly string[]): void {
  const where = (secret: string): string =>
    texts.find((text) => text.includes(secret))?.slice(0, 300) ?? "several texts together";
  expect(secretsIn(texts, secrets).map((secret) => `${secret} in: ${where(secret)}`)).toEqual([]);
}

/** A pino logger that keeps all its messages, of every level. */
export function recordingLogger(): { logger: pino.Logger; lines: string[] } {
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, callback) {
      lines.push(String(chunk));
      callback();
    },
  });
  return { logger: pino({ level: "trace" }, sink), lines };
}
