import { refuse, shortText } from "./change-options.js";

// What the compiler sees to, but not in JavaScript.

/** Checks an option that may be left out and else is a signal. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined || typeof signal?.addEventListener === "function") return;
  refuse(`signal must be an AbortSignal (of an AbortController, its signal), not ${shortText(signal)}`);
}

/** Checks a function that may be left out. */
export function checkFunction(what: string, value: unknown): void {
  if (value === undefined || typeof value === "function") return;
  refuse(`${what} must be a function, not ${shortText(value)}`);
}

/** Checks what may be left out and else is true or false. */
export function checkFlag(what: string, value: boolean | undefined): void {
  if (value === undefined || typeof value === "boolean") return;
  refuse(`${what} must be true or false, not ${shortText(value)}`);
}
