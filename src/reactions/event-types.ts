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
 * @throws ContractError if both definitions lack a type, or the list is empty
 */
export async function checkEventTypes(store: MachineStore, on: readonly string[]): Promise<string[]> {
  checkTypeList(on);
  const { connection, location, definition, ownDefinition } = store;
  const own = [definition, ...(ownDefinition ? [ownDefinition] : [])].flatMap(eventTypes);
  if (!on.every((type) => own.includes(type))) {
    const installed = await readMachine(connection, location);
    const known = [...new Set([...own, ...(installed ? eventTypes(installed.definition) : [])])];
    checkKnownTypes(location.machine, on, known);
  }
  return [...new Set(on)].sort();
}

/** Checks event types against the ones of a machine. @throws ContractError if one is unknown, or the list is empty */
export function checkKnownTypes(machine: string, on: readonly string[], known: readonly string[]): void {
  checkTypeList(on);
  const unknown = on.find((type) => !known.includes(type));
  if (unknown === undefined) return;
  const suggestion = didYouMean(String(unknown), known) || `; ${machine} has ${known.join(", ")}`;
  refuse(`on: unknown event ${shortText(unknown)}${suggestion}`);
}

/** Checks a list of event types. An empty one may be a mistake: it could mean all events or none. */
function checkTypeList(on: readonly string[]): void {
  checkList("on", on, " of events");
  if (on.length === 0) refuse("on is empty: name at least one event, or omit on for all events");
}

/** Returns the types of the events of a machine. */
export function eventTypes({ name, states }: CompiledMachine): string[] {
  const further = ["updated", "removed", "restored"].map((word) => `${name}.${word}`);
  return [...Object.values(states).map(({ event }) => event), ...further];
}
