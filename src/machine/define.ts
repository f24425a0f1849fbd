import { MachineDefinitionError } from "../errors/machine-definition-error.js";
import type { EventNames, Machine, MachineDefinition, StateEvent } from "./definition.js";
import { validateMachine } from "./validate.js";

/**
 * Defines a machine. The compiler infers the state names from the keys of `states` and rejects a misspelt `to`,
 * `initial`, `timeout.to` or `lease.to`. Everything else is checked at run time.
 *
 * @returns a frozen copy of the definition; `StateOf` is the union of its states
 * @throws MachineDefinitionError with all problems and their paths
 * @example
 * const order = defineMachine({
 *   name: "order",
 *   version: 1,
 *   initial: "open",
 *   states: {
 *     open: { to: ["paid"], timeout: { after: "30m", to: "expired" } },
 *     paid: { stamp: "paidAt" },
 *   },
 * }); // does not compile: the machine has no state "expired"
 */
export function defineMachine<const S extends string, const N extends string, const E>(
  definition: MachineDefinition<S, N> & EventNames<E>,
): Machine<S, N, StateEvent<S, N, E>> {
  return checkedMachine(definition) as Machine<S, N, StateEvent<S, N, E>>;
}

/**
 * Checks a definition from an untyped source.
 *
 * @throws MachineDefinitionError with all problems and their paths
 */
export function checkedMachine(input: unknown): MachineDefinition {
  const { problems, definition } = validateMachine(input);
  if (definition === undefined) throw new MachineDefinitionError(problems);
  return definition;
}
