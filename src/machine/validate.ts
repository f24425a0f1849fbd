import { compileValid } from "./compiled.js";
import type { MachineDefinition } from "./definition.js";
import { kindOf } from "./json-value.js";
import { MACHINE_NAME, STATE_NAME } from "./names.js";
import { type Finding, type Problem, type Report, toProblem } from "./problem.js";
import { checkDuration, checkInteger, checkName, checkObject, checkShape, own } from "./property-checks.js";
import { findOddStates } from "./reach.js";
import { checkEvent, checkState, checkTarget, MAX_STATES } from "./state-rules.js";

const MAX_VERSION = 1_000_000_000;
const MAX_HISTORY = 1000;
const MAX_KEEP = 10_000_000;
const MAX_COMPILED_BYTES = 64 * 1024;

const MACHINE = {
  required: ["name", "version", "initial", "states"],
  optional: ["history", "events", "retain", "$schema"],
} as const;

/** What validation found. */
export interface Validation {
  /** What makes the definition unusable. */
  readonly problems: readonly Problem[];
  /** What is legal but seldom meant: states that cannot be reached, or from which nothing ends. */
  readonly warnings: readonly Problem[];
  /** A frozen copy of the definition; absent where there are problems. */
  readonly definition?: MachineDefinition;
}

/**
 * Judges a machine definition from any source. Never throws.
 *
 * @param input anything: an object literal, parsed JSON or YAML
 * @example
 * const { problems, warnings, definition } = validateMachine(JSON.parse(text));
 */
export function validateMachine(input: unknown): Validation {
  const { errors, warnings, definition } = inspectMachine(input);
  const found = { problems: errors.map(toProblem), warnings: warnings.map(toProblem) };
  return definition === undefined ? found : { ...found, definition };
}

/** As `validateMachine`, with places as keys, which a file's reader turns into lines. */
export function inspectMachine(input: unknown): {
  errors: readonly Finding[];
  warnings: readonly Finding[];
  definition?: MachineDefinition;
} {
  const errors: Finding[] = [];
  checkMachine(input, (keys, message) => errors.push({ keys, message }));
  if (errors.length > 0) return { errors, warnings: [] };
  // All of it is JSON by now, so this copies it whole and drops what was undefined.
  const definition = frozen(JSON.parse(JSON.stringify(input))) as MachineDefinition;
  const bytes = Buffer.byteLength(compileValid(definition).json);
  if (bytes > MAX_COMPILED_BYTES) {
    const message = `is ${bytes} bytes of JSON when compiled, at most ${MAX_COMPILED_BYTES} are possible`;
    return { errors: [{ keys: [], message }], warnings: [] };
  }
  return { errors, warnings: findOddStates(definition), definition };
}

function checkMachine(input: unknown, report: Report): void {
  if (!checkShape(input, MACHINE, [], report)) return;
  const schema = own(input, "$schema");
  if (schema !== undefined && typeof schema !== "string") {
    report(["$schema"], `must be text, not ${kindOf(schema)}`);
  }
  checkName(own(input, "name"), MACHINE_NAME, ["name"], report);
  checkInteger(own(input, "version"), 1, MAX_VERSION, ["version"], report);
  checkInteger(own(input, "history"), 1, MAX_HISTORY, ["history"], report);
  checkDuration(own(input, "retain"), ["retain"], report);
  const events = own(input, "events");
  if (events !== undefined && checkShape(events, { required: ["keep"], optional: [] }, ["events"], report)) {
    checkInteger(own(events, "keep"), 1, MAX_KEEP, ["events", "keep"], report);
  }
  const states = own(input, "states");
  if (states !== undefined) checkStates(states, own(input, "initial"), own(input, "name"), report);
}

function checkStates(states: unknown, initial: unknown, machine: unknown, report: Report): void {
  if (!checkObject(states, ["states"], report)) return;
  const names = Object.keys(states);
  if (names.length === 0 || names.length > MAX_STATES) {
    report(["states"], `must hold 1 to ${MAX_STATES} states, not ${names.length}`);
    return;
  }
  if (initial !== undefined) checkTarget(initial, states, ["initial"], report);
  for (const name of names) {
    checkName(name, STATE_NAME, ["states", name], report);
    checkState(states[name], ["states", name], states, report);
    checkEvent(states[name], name, machine, ["states", name, "event"], report);
  }
}

function frozen(value: unknown): unknown {
  if (typeof value === "object" && value !== null) {
    for (const item of Object.values(value)) frozen(item);
    Object.freeze(value);
  }
  return value;
}
