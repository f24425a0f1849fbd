import { InvalidArgumentError } from "commander";
import { type Duration, durationMs, durationProblem } from "../../machine/duration.js";

/** Reads a length of time: `30s`, `10m`, or whole milliseconds. @returns ms */
export function durationOption(text: string): number {
  const duration = (/^\d+$/.test(text) ? Number(text) : text) as Duration;
  const problem = durationProblem(duration);
  if (problem !== undefined) throw new InvalidArgumentError(`${problem}.`);
  return durationMs(duration);
}
