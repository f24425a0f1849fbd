import { ContractError } from "../errors/latchkey-error.js";
import { shown } from "./json-value.js";

/** Units of durations, in ms. */
const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** `ms`, `s`, `m`, `h` or `d`. */
export type DurationUnit = keyof typeof UNITS;

/** A duration: text such as `"500ms"`, `"30s"`, `"5m"`, `"12h"`, `"7d"`, or whole milliseconds. */
export type Duration = number | `${number}${DurationUnit}`;

/** The longest duration in ms; the server accepts up to 10^12 ms, about 11574 days. */
export const MAX_DURATION_MS = 10_000 * UNITS.d;

const TEXT = /^([1-9][0-9]{0,11})(ms|s|m|h|d)$/;

/** Describes the problem of an invalid duration; undefined if it is valid. */
export function durationProblem(value: unknown): string | undefined {
  const ms = typeof value === "string" ? textMs(value) : value;
  const invalid = `invalid duration ${shown(value)}`;
  if (typeof ms !== "number" || !Number.isInteger(ms))
    return `${invalid}; write "500ms", "30s", "5m", "12h", "7d" or whole milliseconds`;
  if (ms < 1) return `${invalid}: it must be at least 1 ms`;
  return ms > MAX_DURATION_MS ? `${invalid}: it must be at most 10000d` : undefined;
}

function textMs(text: string): number | undefined {
  const match = TEXT.exec(text);
  if (match === null) return undefined;
  return Number(match[1]) * UNITS[match[2] as DurationUnit];
}

/**
 * Converts a duration to ms.
 *
 * @throws ContractError with code BADARG if it is invalid, shorter than 1 ms or longer than 10000 days
 * @example
 * durationMs("30s"); // 30000
 */
export function durationMs(duration: Duration): number {
  const problem = durationProblem(duration);
  if (problem !== undefined) throw new ContractError("BADARG", problem);
  return typeof duration === "number" ? duration : (textMs(duration) ?? 0);
}

/**
 * Formats a duration in ms in the largest unit that gives a whole number.
 *
 * @example
 * durationText(604_800_000); // "7d"
 */
export function durationText(ms: number): string {
  for (const unit of ["d", "h", "m", "s"] as const) {
    if (ms % UNITS[unit] === 0) return `${ms / UNITS[unit]}${unit}`;
  }
  return `${ms}ms`;
}
