import { InvalidArgumentError } from "commander";
import { readDuration } from "../../machine/duration.js";

/** Reads a length of time: `30s`, `10m`, or whole milliseconds. @returns ms */
export function durationOption(text: string): number {
  const read = readDuration(/^\d+$/.test(text) ? Number(text) : text);
  if ("problem" in read) throw new InvalidArgumentError(`It ${read.problem}.`);
  return read.ms;
}
