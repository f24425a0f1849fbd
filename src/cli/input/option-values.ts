import { InvalidArgumentError, Option } from "commander";
import { type Duration, durationMs, durationProblem } from "../../machine/duration.js";
import type { JsonValue } from "../../machine/json-value.js";
import { firstRoundedNumber } from "./rounded-number.js";

/** Reads a duration with a unit, or whole milliseconds. @returns ms */
export function durationOption(text: string): number {
  const duration = (/^\d+$/.test(text) ? Number(text) : text) as Duration;
  if (durationProblem(duration) === undefined) return durationMs(duration);
  throw new InvalidArgumentError(
    "It must be a duration such as 500ms, 30s, 10m, 2h or 7d, from 1ms to 10000d.",
  );
}

/** Option of the commands that can read from a replica. */
export function readsOption(): Option {
  const meaning = "server to read: the primary (default), or a replica, whose data may be outdated";
  return new Option("--reads <server>", meaning).choices(["primary", "replica"]);
}

/** Makes a parser of whole numbers within bounds. */
export function wholeNumber(from: number, to = 999_999_999_999_999): (text: string) => number {
  return (text) => {
    const number = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= from && number <= to) return number;
    const bounds = to < 999_999_999_999_999 ? ` from ${from} to ${to}` : `, ${from} or more`;
    throw new InvalidArgumentError(`It must be a whole number${bounds}.`);
  };
}

/** Collects the values of a repeatable option, each of which may be a list with commas. */
export function collectList(value: string, before: readonly string[] = []): string[] {
  const words = value
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
  if (words.length === 0) throw new InvalidArgumentError("It must not be empty.");
  return [...before, ...words];
}

/** Collects the values of a repeatable option. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** Collects the pairs of a repeatable option. @param form the pair as the help shows it, such as `field=value` */
export function collectPairs<V>(form: string, parse: (text: string) => V) {
  return (text: string, before: ReadonlyMap<string, V> = new Map()): Map<string, V> => {
    const at = text.indexOf("=");
    if (at < 1) throw new InvalidArgumentError(`It must have the form ${form}.`);
    const name = text.slice(0, at);
    if (before.has(name)) throw new InvalidArgumentError(`${name} is given twice.`);
    return new Map([...before, [name, parse(text.slice(at + 1))]]);
  };
}

/** Reads the value of a field: JSON if it parses, otherwise text. */
export function fieldValue(text: string): JsonValue {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
  const rounded = firstRoundedNumber(text);
  if (rounded === undefined) return value;
  throw new InvalidArgumentError(`${rounded} would lose digits; write it as text: '"${rounded}"'.`);
}
