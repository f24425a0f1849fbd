import { MachineDefinitionError } from "../errors/machine-definition-error.js";
import { type CompiledMachine, compileValid } from "./compiled.js";
import { checkedMachine } from "./define.js";
import type { MachineDefinition } from "./definition.js";
import { isObject } from "./json-value.js";

/**
 * Brings a definition into the form the server takes: every default explicit, durations in ms, the machine's
 * `retain` on each final state that has none, properties in a fixed order.
 *
 * @throws MachineDefinitionError when the definition is invalid
 * @example
 * compileMachine(agent()).json; // {"name":"agent","version":1,"initial":"spawning","states":{…
 */
export function compileMachine(definition: MachineDefinition): CompiledMachine {
  return compileValid(checkedMachine(definition));
}

/**
 * Reads a compiled machine back from its JSON text, such as the one a server holds.
 *
 * @param json the text of `CompiledMachine.json`, by this or another client
 * @returns the machine; its `json` is the text as given
 * @throws MachineDefinitionError when the text is no compiled machine
 */
export function parseCompiledMachine(json: string): CompiledMachine {
  let form: unknown;
  try {
    form = withSetValues(JSON.parse(json));
  } catch (cause) {
    const message = `is no compiled machine: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new MachineDefinitionError([{ path: "", message }]);
  }
  return { ...compileValid(checkedMachine(form)), json };
}

/** The compiled form with the JSON texts of each `set` as values again: a definition, if all is well. */
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
