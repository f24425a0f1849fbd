import { isError } from "../errors/is-error.js";
import { MachineDefinitionError } from "../errors/machine-definition-error.js";
import { type CompiledMachine, compileValid } from "./compiled.js";
import { checkedMachine } from "./define.js";
import type { MachineDefinition } from "./definition.js";
import { isObject } from "./json-value.js";

/**
 * Compiles a definition to the form that the server accepts: all defaults are explicit, durations are in ms, each final
 * state has its `retain`, and properties have a fixed order.
 *
 * @throws MachineDefinitionError if the definition is invalid
 * @example
 * compileMachine(agent()).json; // {"name":"agent","version":1,"initial":"spawning","states":{…
 */
export function compileMachine(definition: MachineDefinition): CompiledMachine {
  return compileValid(checkedMachine(definition));
}

/**
 * Parses the JSON text of a compiled machine, such as the one that a server stores.
 *
 * @param json the text of `CompiledMachine.json`, from this or another client
 * @returns the machine; its `json` is the given text
 * @throws MachineDefinitionError if the text is not a compiled machine
 */
export function parseCompiledMachine(json: string): CompiledMachine {
  let form: unknown;
  try {
    form = withSetValues(JSON.parse(json));
  } catch (cause) {
    const message = `is not a compiled machine: ${isError(cause) ? cause.message : String(cause)}`;
    throw new MachineDefinitionError([{ path: "", message }]);
  }
  return { ...compileValid(checkedMachine(form)), json };
}

/** Turns the JSON texts of each `set` into values again, so that the result can be checked as a definition. */
function withSetValues(form: unknown): unknown {
  if (!isObject(form) || !isObject(form.states)) return form;
  const states = mapValues(form.states, (state) =>
    isObject(state)
      ? mapValues(state, (part, name) => (name === "timeout" || name === "lease" ? withValues(part) : part))
      : state,
  );
  return { ...form, states };
}

function withValues(deadline: unknown): unknown {
  if (!isObject(deadline) || !isObject(deadline.set)) return deadline;
  return { ...deadline, set: mapValues(deadline.set, (text) => JSON.parse(String(text))) };
}

function mapValues(object: object, change: (value: unknown, key: string) => unknown): object {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value, key)]));
}
