import { type Command, InvalidArgumentError } from "commander";
import type { JsonValue } from "../../machine/json-value.js";
import { firstRoundedNumber } from "./rounded-number.js";

/** Options of the commands that change an entity, as they were typed. */
export interface ChangeFlags {
  readonly set?: ReadonlyMap<string, JsonValue>;
  readonly unset?: readonly string[];
  readonly ifVersion?: number;
  readonly ifState?: string;
  readonly op?: string;
  readonly actor?: string;
  readonly reason?: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly errorUnchanged?: boolean;
}

/** Adds what all changes take: who, why, the op, and what to do about doing nothing. */
export function withChangeOptions(command: Command): Command {
  return command
    .option("--op <id>", "names this change, so that repeating it does nothing more")
    .option("--actor <text>", "who does it (default: cli:<user>@<host>)")
    .option("--reason <text>", "why, for the history")
    .option("--dry-run", "only say what would happen (--op is not looked up)")
    .option("--error-unchanged", "exit 3 where the op was done before");
}

/** Adds the conditions that a change may depend on. */
export function withConditions(command: Command): Command {
  return command
    .option("--if-version <n>", "only at this version", wholeNumber)
    .option("--if-state <state>", "only from this state");
}

/** Adds `--set`. */
export function withSet(command: Command): Command {
  return command.option(
    "--set <field=value>",
    "set a field; JSON where it parses, else text (repeatable)",
    collectField,
  );
}

/** Adds `--unset`. */
export function withUnset(command: Command): Command {
  return command.option("--unset <field>", "take a field away (repeatable)", collect);
}

/** Gathers the values of an option that may stand several times, or hold a list with commas. */
export function collectList(value: string, before: readonly string[] = []): string[] {
  const words = value.split(",").filter((word) => word !== "");
  if (words.length === 0) throw new InvalidArgumentError("It is empty.");
  return [...before, ...words];
}

/** Gathers the values of an option that may stand several times. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** Reads a whole number. */
export function wholeNumber(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new InvalidArgumentError("It must be a whole number, 0 or more.");
  return Number(text);
}

/** Reads a whole number that is not 0. */
export function positiveNumber(text: string): number {
  const number = wholeNumber(text);
  if (number === 0) throw new InvalidArgumentError("It must be 1 or more.");
  return number;
}

function collectField(text: string, before: ReadonlyMap<string, JsonValue> = new Map()) {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("Write it like field=value.");
  const field = text.slice(0, at);
  if (before.has(field)) throw new InvalidArgumentError(`${field} is set twice.`);
  return new Map([...before, [field, fieldValue(text.slice(at + 1))]]);
}

function fieldValue(text: string): JsonValue {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
  const rounded = firstRoundedNumber(text);
  if (rounded !== undefined) {
    throw new InvalidArgumentError(
      `${rounded} can't be kept with all its digits; write it as text: '"${rounded}"'.`,
    );
  }
  return value;
}
