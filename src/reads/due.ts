import type { Valkey } from "iovalkey";
import { type Duration, durationMs } from "../machine/duration.js";
import type { LimitedStore } from "../valkey/ask.js";
import { askEach } from "../valkey/ask-each.js";
import { partitionKeys } from "../valkey/keys.js";
import { partitionOf } from "../valkey/partition.js";
import type { Position } from "./position.js";

/**
 * Filters of a list by deadline: the earliest of timeout, lease and retention. They scan all entities in states with a
 * timer.
 */
export interface DueOptions {
  /** Only entities whose deadline is at most this far ahead, or has passed. */
  readonly dueWithin?: Duration;
  /** Only entities whose timer is overdue or missing. @default false */
  readonly stuck?: boolean;
}

/**
 * Reads when the first timer of each entity fires, in ms of server time; null for an entity without a timer.
 *
 * @param what name of the question, for the error
 */
export async function dueOf(
  store: LimitedStore,
  ids: readonly string[],
  what: string,
): Promise<(number | null)[]> {
  const { connection, location } = store;
  const byKey = new Map<string, string[]>();
  for (const id of ids) {
    const { due } = partitionKeys(location, partitionOf(id, location.partitions));
    const members = byKey.get(due) ?? [];
    members.push(id);
    byKey.set(due, members);
  }
  const read = (client: Valkey, keys: readonly string[]): Promise<(string | null)[][]> =>
    Promise.all(keys.map((key) => client.zmscore(key, ...(byKey.get(key) ?? []))));
  const scores = await askEach(connection, [...byKey.keys()], what, read, store);
  const times = new Map<string, number>();
  for (const [at, members] of [...byKey.values()].entries()) {
    for (const [place, id] of members.entries()) {
      const score = scores[at]?.[place];
      if (score != null) times.set(id, Number(score));
    }
  }
  return ids.map((id) => times.get(id) ?? null);
}

/** Selects index entries by the deadlines of their entities. */
export type DueFilter = (entries: readonly Position[]) => Promise<Position[]>;

/** Makes the filter of a list at `nowMs` (server time); undefined if no option asks for one. */
export function dueFilter(store: LimitedStore, options: DueOptions, nowMs: number): DueFilter | undefined {
  if (options.dueWithin === undefined && options.stuck !== true) return undefined;
  return async (entries) => {
    const ids = entries.map(({ id }) => id);
    const due = await dueOf(store, ids, `list ${store.location.machine}`);
    return entries.filter((_, at) => isDue(options, due[at] ?? null, nowMs));
  };
}

/** Returns whether a deadline satisfies the filters. @param end null for an entity without a timer */
export function isDue({ dueWithin, stuck = false }: DueOptions, end: number | null, nowMs: number): boolean {
  if (stuck && end !== null && end > nowMs) return false;
  return dueWithin === undefined || (end !== null && end <= nowMs + durationMs(dueWithin));
}
