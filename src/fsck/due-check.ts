import { dueAt } from "../contract/due-at.js";
import { stateOf } from "../machine/compiled.js";
import type { Defect } from "./finding.js";
import type { Partition } from "./partition.js";
import type { StoredEntity } from "./stored-entity.js";
import type { StoredMachine } from "./stored-machine.js";

/**
 * Checks that an entity has a timer if its state has one, at the time that follows from its time of entry and from the
 * last renewal of its lease, and that nothing else has one. A timer that an older version of the machine set may differ:
 * a sweep corrects it, except for the later end of a lease, which stays until it has passed.
 */
export function checkDue(entity: StoredEntity, { keys }: Partition, { definition }: StoredMachine): Defect[] {
  const { id, hash, times, due, wrongTypes } = entity;
  if (wrongTypes.includes(keys.due) || wrongTypes.includes(entity.keys.entity)) return [];
  const at = { id, key: keys.due };
  if (hash === undefined) {
    if (due === null) return [];
    return [{ ...at, kind: "due-orphan", message: "the entity does not exist", repair: { due: null } }];
  }
  const name = hash.get("state") ?? "";
  const state = definition && stateOf(definition, name);
  // Malformed times and unknown states are findings of their own.
  if (state === undefined || times === undefined) return [];
  const right = dueAt(state, times.entered, times.renewed);
  const common = { ...at, isExplicable: definition?.version !== 1 };
  if (right === undefined) {
    if (due === null) return [];
    return [{ ...common, kind: "due-extra", message: `state ${name} has no timer`, repair: { due: null } }];
  }
  const repair = { due: right };
  if (due === null) {
    const message = `state ${name} has a timer, which fires at ${iso(right)}`;
    return [{ ...common, kind: "due-missing", message, repair }];
  }
  if (Number(due) === right) return [];
  const isPromised = common.isExplicable && Number(due) > right && state.lease !== undefined;
  const message = isPromised
    ? `the timer fires at ${iso(Number(due), due)}; the current version sets ${iso(right)}, but a holder may rely on the later time`
    : `the timer fires at ${iso(Number(due), due)} instead of ${iso(right)}`;
  return [{ ...common, kind: "due-time", message, repair }];
}

/** @param text shown if the number is not a time */
function iso(ms: number, text = String(ms)): string {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : text;
}
