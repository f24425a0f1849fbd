import { ContractError } from "../errors/errors.js";
import { type Duration, readDuration } from "../machine/duration.js";

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
