import { ContractError } from "../errors/latchkey-error.js";
import { type Duration, readDuration } from "../machine/duration.js";
import type { NameRule } from "../machine/names.js";
import { didYouMean } from "../machine/suggest.js";

// What the compiler sees to, except in JavaScript.

/** Stops a call that the server would refuse as malformed, with a text that says what to do. */
export function refuse(message: string): never {
  throw new ContractError("BADARG", message);
}

/** A value as an error shows it. */
export function shortText(value: unknown): string {
  const text = jsonLike(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function jsonLike(value: unknown): string {
  if (typeof value === "number") return String(value);
  if (typeof value === "bigint") return `${value}n`;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return "an object that is no JSON";
  }
}

/**
 * Checks an object with named parts.
 *
 * @param parts what it may hold, in brackets
 */
export function checkObject(what: string, value: unknown, parts = ""): void {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return;
  refuse(`${what} must be an object${parts}, not ${shortText(value)}`);
}

/** Checks a list of texts. */
export function checkList(what: string, value: unknown, of = ""): void {
  if (!Array.isArray(value)) refuse(`${what} must be a list${of}, not ${shortText(value)}`);
}

/** Checks a signal that may be left out. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined || typeof signal?.addEventListener === "function") return;
  refuse(`signal must be an AbortSignal (of an AbortController, its signal), not ${shortText(signal)}`);
}

/** Checks functions that may be left out. */
export function checkFunctions(named: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(named)) {
    if (value !== undefined && typeof value !== "function")
      refuse(`${name} must be a function, not ${shortText(value)}`);
  }
}

/** Checks what may be left out and else is true or false. */
export function checkFlag(what: string, value: boolean | undefined): void {
  if (value === undefined || typeof value === "boolean") return;
  refuse(`${what} must be true or false, not ${shortText(value)}`);
}

/** Checks a length of time that may be left out. */
export function checkDuration(what: string, value: Duration | undefined): void {
  const read = value === undefined ? undefined : readDuration(value);
  if (read !== undefined && "problem" in read) refuse(`${what}: ${shortText(value)} ${read.problem}`);
}

const ID = /^[A-Za-z0-9_.~:/@+=-]+$/;

/** Whether a text can be an id: what is none is no entity's, wherever it stands. */
export function isId(text: string, longest = 128): boolean {
  return text.length <= longest && ID.test(text);
}

/** Checks an id or an op. */
export function checkId(what: "id" | "op", id: string, longest: number): string {
  if (typeof id !== "string" || !isId(id, longest)) {
    refuse(
      `${what} ${shortText(id)} must be 1 to ${longest} letters, digits or characters of _ . ~ : / @ + = -`,
    );
  }
  return id;
}

/** Checks the name of a state or an own field. */
export function checkName(rule: NameRule, name: string): string {
  if (typeof name !== "string" || !rule.pattern.test(name))
    refuse(`${shortText(name)} is no ${rule.kind}: ${rule.words}`);
  if (rule.reserved?.has(name))
    refuse(`"${name}" can't be a ${rule.kind}: every document uses that word itself`);
  return name;
}

/** Checks a text that the scripts store: an actor, a reason. */
export function checkText(what: string, value: string, longest: number): string {
  if (typeof value !== "string") refuse(`${what} must be text, not ${shortText(value)}`);
  if (value === "") refuse(`${what} is empty; leave it out`);
  if (Buffer.byteLength(value) > longest) refuse(`${what} is longer than ${longest} bytes`);
  if ([...value].some((character) => character < " "))
    refuse(`${what} holds a control character (a newline?); replace it`);
  if (/\p{Surrogate}/u.test(value)) refuse(`${what} holds half a surrogate pair`);
  return value;
}

/** Checks a version or a time, and writes it as the scripts take it. */
export function whole(what: string, value: number): string {
  if (!Number.isInteger(value) || value < 0 || value > 999_999_999_999_999) {
    refuse(`${what} must be a whole number from 0 to 999999999999999, not ${shortText(value)}`);
  }
  return String(value);
}

/** Checks the names of options. The compiler sees them, except in JavaScript: there a misspelt guard would be none. */
export function checkOptions(options: object, known: ReadonlySet<string>): void {
  checkObject("options", options, ` (of ${[...known].join(", ")})`);
  for (const name of Object.keys(options)) {
    if (!known.has(name)) refuse(`${shortText(name)} is no option${didYouMean(name, known)}`);
  }
}

/** Checks states of a machine against the ones that it has. */
export function checkStates(machine: string, states: readonly string[], known: readonly string[]): void {
  for (const state of states) {
    if (known.includes(state)) continue;
    const hint = didYouMean(String(state), known) || `; its states are ${known.join(", ")}`;
    refuse(`unknown state ${shortText(state)} of ${machine}${hint}`);
  }
}
