import { ContractError } from "../errors/latchkey-error.js";
import { type Duration, durationMs, durationProblem, durationText } from "../machine/duration.js";
import { kindOf } from "../machine/json-value.js";
import type { NameRule } from "../machine/names.js";
import { didYouMean } from "../machine/suggest.js";

// TypeScript checks most of this at compile time. JavaScript callers rely on these checks.

/** Rejects a call before it is sent, with a message that helps to correct it. */
export function refuse(message: string): never {
  throw new ContractError("BADARG", message);
}

/**
 * Formats a value for an error message: texts and numbers as they are, others by their kind, because they can contain the
 * fields of an entity or a password. For a value that can be a secret itself use `kindOf`.
 */
export function shortText(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : plainOrKind(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function plainOrKind(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : kindOf(value);
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Checks that a value is an object and not a list. `parts` ends the message, such as ` (of first, longest)`. */
export function checkObject(name: string, value: unknown, parts = ""): void {
  if (isObject(value)) return;
  refuse(`${name} must be an object${parts}, not ${kindOf(value)}`);
}

/** Checks that a value is a list. `of` ends the message, such as ` of field names`. */
export function checkList(name: string, value: unknown, of = ""): void {
  if (Array.isArray(value)) return;
  const meant = typeof value === "string" ? `; write [${shortText(value)}]` : "";
  refuse(`${name} must be a list${of}, not ${kindOf(value)}${meant}`);
}

/** Checks an optional signal. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined || typeof signal?.addEventListener === "function") return;
  refuse(`signal must be an AbortSignal (of an AbortController, its signal), not ${kindOf(signal)}`);
}

/** Checks optional functions. */
export function checkFunctions(functions: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(functions)) {
    if (value !== undefined && typeof value !== "function")
      refuse(`${name} must be a function, not ${kindOf(value)}`);
  }
}

/** Checks an optional boolean. */
export function checkFlag(name: string, value: boolean | undefined): void {
  if (value === undefined || typeof value === "boolean") return;
  refuse(`${name} must be true or false, not ${shortText(value)}`);
}

/** Checks that a value is one of a few words. */
export function checkWord(name: string, value: unknown, words: readonly string[]): void {
  if (words.some((word) => word === value)) return;
  refuse(`${name} must be ${words.map((word) => `"${word}"`).join(" or ")}, not ${shortText(value)}`);
}

/** The greatest version or time in ms that the scripts accept. */
const MOST = 999_999_999_999_999;

/** Checks a whole number within bounds. */
export function checkWhole(name: string, value: number, least = 0, most = MOST): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  refuse(`${name} must be a whole number from ${least} to ${most}, not ${shortText(value)}`);
}

/**
 * Checks a duration.
 *
 * @param mostMs the longest one, in ms
 * @returns its length in ms
 */
export function checkDuration(name: string, value: Duration, mostMs = Number.POSITIVE_INFINITY): number {
  const problem = durationProblem(value);
  if (problem !== undefined) refuse(`${name}: ${problem}`);
  const ms = durationMs(value);
  if (ms > mostMs) refuse(`${name} must be at most ${durationText(mostMs)}, not ${shortText(value)}`);
  return ms;
}

const ID = /^[A-Za-z0-9_.~:/@+=-]+$/;

/** Returns whether a text can be an ID. */
export function isId(text: string, longest = 128): boolean {
  return text.length <= longest && ID.test(text);
}

/** Checks an ID or an idempotency key. */
export function checkId(name: "id" | "op", id: string, longest: number): string {
  if (typeof id === "string" && isId(id, longest)) return id;
  refuse(
    `${name} ${shortText(id)} must be 1 to ${longest} letters, digits or characters of _ . ~ : / @ + = -`,
  );
}

/** Checks a position of an event log. */
export function checkPosition(name: string, position: string): string {
  if (typeof position === "string" && /^\d{1,15}-\d{1,20}$/.test(position)) return position;
  refuse(`${name} must be a position such as "1795343224201-0", not ${shortText(position)}`);
}

/** Checks the name of a state, a field, a machine, a reaction or a namespace. */
export function checkName(rule: NameRule, name: string): string {
  if (typeof name !== "string" || !rule.pattern.test(name))
    refuse(`invalid ${rule.kind} ${shortText(name)}: ${rule.words}`);
  if (rule.reserved?.has(name)) refuse(`"${name}" cannot be a ${rule.kind}: every document uses that name`);
  return name;
}

/** Checks the names of options, so that a misspelt guard is not ignored. */
export function checkOptions(options: object, known: readonly string[], name = "options"): void {
  if (!isObject(options)) checkObject(name, options, ` (of ${known.join(", ")})`);
  for (const option of Object.keys(options)) {
    if (known.includes(option)) continue;
    const place = name === "options" ? "" : ` in ${name}`;
    refuse(`unknown option ${shortText(option)}${place}${didYouMean(option, known)}`);
  }
}

/** Checks states of a machine against the ones that it has. */
export function checkKnownStates(machine: string, states: readonly string[], known: readonly string[]): void {
  for (const state of states) {
    if (known.includes(state)) continue;
    const hint = didYouMean(String(state), known) || `; ${machine} has ${known.join(", ")}`;
    refuse(`unknown state ${shortText(state)}${hint}`);
  }
}

const TYPE_WORDS = { string: "text", boolean: "true or false", object: "an object" };

/**
 * Checks the types of options that may be omitted. Null is rejected.
 *
 * @param type the result of `typeof` for a valid value
 * @example checkTypes("string", { url, password });
 */
export function checkTypes(type: keyof typeof TYPE_WORDS, values: Readonly<Record<string, unknown>>): void {
  for (const name of Object.keys(values)) {
    const value = values[name];
    if (value === undefined || (typeof value === type && value !== null)) continue;
    refuse(`${name} must be ${TYPE_WORDS[type]}, not ${kindOf(value)}`);
  }
}
