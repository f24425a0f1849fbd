import { InvalidArgumentError } from "commander";
import { type Duration, readDuration } from "../machine/duration.js";

/** Reads a length of time: `30s`, `10m`, or whole milliseconds. */
export function durationOption(text: string): Duration {
  const read = readDuration(/^\d+$/.test(text) ? Number(text) : text);
  if ("problem" in read) throw new InvalidArgumentError(`It ${read.problem}.`);
  return read.ms;
}
