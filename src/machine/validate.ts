import { compileValid } from "./compiled.js";
import type { MachineDefinition } from "./definition.js";
import { kindOf } from "./json-value.js";
import { MACHINE_NAME, STATE_NAME } from "./names.js";
import { type KeyedProblem, type Problem, type Reporter, toProblem } from "./problem.js";
import {
  own,
  verifyDuration,
  verifyInteger,
  verifyName,
  verifyObject,
  verifyShape,
} from "./property-checks.js";
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

/** The result of {@link validateMachine}. */
export interface Validation {
  /** Problems that make the definition invalid. */
  readonly problems: readonly Problem[];
  /** Unreachable states and dead ends, which are valid but rarely intended. */
  readonly warnings: readonly Problem[];
  /** A frozen copy of the definition; absent if there are problems. */
  readonly definition?: MachineDefinition;
}

/**
 * Validates a machine definition from any source. Never throws.
 *
 * @param input any value: an object literal, parsed JSON or YAML
 * @example
 * const { problems, warnings, definition } = validateMachine(JSON.parse(text));
 */
export function validateMachine(input: unknown): Validation {
  const { errors, warnings, definition } = inspectMachine(input);
  const found = { problems: errors.map(toProblem), warnings: warnings.map(toProblem) };
  return definition === undefined ? found : { ...found, definition };
}

/** Validates a definition like `validateMachine`, with paths as keys, from which a file reader finds lines. */
export function inspectMachine(input: unknown): {
  errors: readonly KeyedProblem[];
  warnings: readonly KeyedProblem[];
  definition?: MachineDefinition;
} {
  const errors: KeyedProblem[] = [];
  checkMachine(input, (keys, message) => errors.push({ keys, message }));
  if (errors.length > 0) return { errors, warnings: [] };
  // The input is JSON, so this copies everything except undefined properties.
  const definition = frozen(JSON.parse(JSON.stringify(input))) as MachineDefinition;
  const bytes = Buffer.byteLength(compileValid(definition).json);
  if (bytes > MAX_COMPILED_BYTES) {
    const message = `is ${bytes} bytes of JSON when compiled, at most ${MAX_COMPILED_BYTES} are allowed`;
    return { errors: [{ keys: [], message }], warnings: [] };
  }
  return { errors, warnings: findOddStates(definition), definition };
}

function checkMachine(input: unknown, report: Reporter): void {
  if (!verifyShape(input, MACHINE, [], report)) return;
  const schema = own(input, "$schema");
  if (schema !== undefined && typeof schema !== "string") {
    report(["$schema"], `must be text, not ${kindOf(schema)}`);
  }
  verifyName(own(input, "name"), MACHINE_NAME, ["name"], report);
  verifyInteger(own(input, "version"), 1, MAX_VERSION, ["version"], report);
  verifyInteger(own(input, "history"), 1, MAX_HISTORY, ["history"], report);
  verifyDuration(own(input, "retain"), ["retain"], report);
  const events = own(input, "events");
  if (events !== undefined && verifyShape(events, { required: ["keep"], optional: [] }, ["events"], report)) {
    verifyInteger(own(events, "keep"), 1, MAX_KEEP, ["events", "keep"], report);
  }
  const states = own(input, "states");
  if (states !== undefined) checkStates(states, own(input, "initial"), own(input, "name"), report);
}

function checkStates(states: unknown, initial: unknown, machine: unknown, report: Reporter): void {
  if (!verifyObject(states, ["states"], report)) return;
  const names = Object.keys(states);
  if (names.length === 0 || names.length > MAX_STATES) {
    report(["states"], `must hold 1 to ${MAX_STATES} states, not ${names.length}`);
    return;
  }
  if (initial !== undefined) checkTarget(initial, states, ["initial"], report);
  for (const name of names) {
    verifyName(name, STATE_NAME, ["states", name], report);
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
