import { MachineDefinitionError } from "../errors/machine-definition-error.js";
import type { Machine, MachineDefinition } from "./definition.js";
import { validateMachine } from "./validate.js";

/**
 * Defines a machine. The state names are inferred from the keys of `states`, so that a misspelt `to`, `initial`,
 * `timeout.to` or `lease.to` does not compile; everything else is checked when the call runs.
 *
 * @returns a frozen copy of the definition; `StateOf` gives the union of its states
 * @throws MachineDefinitionError with every problem, each with its place
 * @example
 * const order = defineMachine({
 *   name: "order",
 *   version: 1,
 *   initial: "open",
 *   states: {
 *     open: { to: ["paid"], timeout: { after: "30m", to: "expired" } },
 *     paid: { stamp: "paidAt" },
 *   },
 * }); // does not compile: "expired" is no state
 */
export function defineMachine<const S extends string, const N extends string>(
  definition: MachineDefinition<S, N>,
): Machine<S, N> {
  return checkedMachine(definition) as Machine<S, N>;
}

/**
 * A definition from an untyped source, checked.
 *
 * @throws MachineDefinitionError with every problem, each with its place
 */
export function checkedMachine(input: unknown): MachineDefinition {
  const { problems, definition } = validateMachine(input);
  if (definition === undefined) throw new MachineDefinitionError(problems);
  return definition;
}
