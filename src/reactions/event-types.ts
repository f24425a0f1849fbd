import { checkList, refuse, shortText } from "../contract/arguments.js";
import type { CompiledMachine } from "../machine/compiled.js";
import { didYouMean } from "../machine/suggest.js";
import { readMachine } from "../reads/installed-machine.js";
import type { MachineStore } from "../valkey/machine-store.js";

/**
 * Checks event types against the definition of this program, then against the installed one. In a rolling deployment,
 * either can have types that the other one does not have.
 *
 * @returns the types, sorted, each once
 * @throws ContractError if both definitions lack a type
 */
export async function checkEventTypes(store: MachineStore, on: readonly string[]): Promise<string[]> {
  checkList("on", on, " of events");
  const { connection, location, definition, olderDefinition } = store;
  const own = [definition, ...(olderDefinition ? [olderDefinition] : [])].flatMap(eventTypes);
  if (!on.every((type) => own.includes(type))) {
    const installed = await readMachine(connection, location);
    const known = [...new Set([...own, ...(installed ? eventTypes(installed.definition) : [])])];
    checkKnownTypes(location.machine, on, known);
  }
  return [...new Set(on)].sort();
}

/** Checks event types against the ones of a machine. @throws ContractError if one is unknown */
export function checkKnownTypes(machine: string, on: readonly string[], known: readonly string[]): void {
  const unknown = on.find((type) => !known.includes(type));
  if (unknown === undefined) return;
  const suggestion = didYouMean(String(unknown), known) || `; ${machine} has ${known.join(", ")}`;
  refuse(`on: unknown event ${shortText(unknown)}${suggestion}`);
}

/** Returns the types of the events of a machine. */
export function eventTypes({ name, states }: CompiledMachine): string[] {
  const further = ["updated", "removed", "restored"].map((word) => `${name}.${word}`);
  return [...Object.values(states).map(({ event }) => event), ...further];
}
