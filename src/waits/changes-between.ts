import { type Change, ownFields, type Snapshot } from "../contract/document.js";
import type { JsonValue } from "../machine/json-value.js";
import type { HistoryEntry } from "../reads/history.js";

/** A change that was reconstructed from an entity's own log. */
export interface MissedChange<S extends string> {
  readonly change: Change<S>;
  /** False if own fields had values then that the log does not hold. */
  readonly isComplete: boolean;
}

/**
 * Reconstructs the changes of an entity between two reads, without the last one, which the later read shows.
 *
 * @param log the entity's own log, read together with `after`
 * @returns the changes, oldest first; undefined if the log does not hold all of them, or the entity was removed meanwhile
 */
export function changesBetween<S extends string>(
  before: Snapshot<S>,
  after: Snapshot<S>,
  log: readonly HistoryEntry<S>[],
): MissedChange<S>[] | undefined {
  const missed = log.filter(({ version }) => version > before.version && version < after.version);
  const known = log.find(({ version }) => version === before.version);
  // After a failover that lost changes, the server can give the same version to another change.
  const isKnown =
    known === undefined || (known.timestamp === before.timestamp && known.state === before.state);
  const count = after.version - before.version - 1;
  if (!isKnown || before.createdAt !== after.createdAt || count < -1 || missed.length !== Math.max(0, count))
    return undefined;
  const unknown = new Set<string>();
  let previous = before;
  return missed.map((entry) => {
    const later = log.filter(({ version }) => version > entry.version);
    const own = new Map<string, JsonValue>(Object.entries(ownFields(previous)));
    for (const name of entry.unset ?? []) own.delete(name);
    for (const [name, value] of setFields(entry, after)) {
      if (value === undefined || (Array.isArray(entry.set) && later.some((one) => touches(one, name))))
        unknown.add(name);
      else {
        own.set(name, value);
        unknown.delete(name);
      }
    }
    const { machine, id, createdAt } = after;
    const { position: _, set: __, unset: ___, ...facts } = entry;
    const since = entry.type === `${machine}.updated` ? previous.since : entry.timestamp;
    const change = { machine, id, ...facts, since, createdAt, ...Object.fromEntries(own) } as Change<S>;
    previous = change;
    return { change, isComplete: unknown.size === 0 };
  });
}

/** Returns the fields that a change set. If its record holds only their names, the values are those of the later read. */
function setFields(
  { set = {} }: HistoryEntry,
  after: Snapshot,
): [name: string, value: JsonValue | undefined][] {
  return Array.isArray(set) ? set.map((name: string) => [name, after[name]]) : Object.entries(set);
}

function touches({ set = {}, unset = [] }: HistoryEntry, name: string): boolean {
  return unset.includes(name) || (Array.isArray(set) ? set.includes(name) : name in set);
}
