import type { Valkey } from "iovalkey";
import { type Duration, durationMs } from "../machine/duration.js";
import { ask, type LimitedStore } from "../valkey/ask.js";
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

/** Reads when the first timer of each entity fires, in ms of server time; null for an entity without a timer. */
export async function dueOf(store: LimitedStore, ids: readonly string[]): Promise<(number | null)[]> {
  const { connection, location } = store;
  const byPartition = new Map<number, string[]>();
  for (const id of ids) {
    const partition = partitionOf(id, location.partitions);
    const members = byPartition.get(partition) ?? [];
    members.push(id);
    byPartition.set(partition, members);
  }
  const times = new Map<string, number>();
  const read = (client: Valkey): Promise<unknown> =>
    Promise.all(
      [...byPartition].map(async ([partition, members]) => {
        const scores = await client.zmscore(partitionKeys(location, partition).due, ...members);
        for (const [at, id] of members.entries()) {
          const score = scores[at];
          if (score != null) times.set(id, Number(score));
        }
      }),
    );
  await ask(connection, `due of ${location.machine}`, read, store);
  return ids.map((id) => times.get(id) ?? null);
}

/** Selects index entries by the deadlines of their entities. */
export type DueFilter = (entries: readonly Position[]) => Promise<Position[]>;

/** Makes the filter of a list at `nowMs` (server time); undefined if no option asks for one. */
export function dueFilter(store: LimitedStore, options: DueOptions, nowMs: number): DueFilter | undefined {
  if (options.dueWithin === undefined && options.stuck !== true) return undefined;
  return async (entries) => {
    const ids = entries.map(({ id }) => id);
    const due = await dueOf(store, ids);
    return entries.filter((_, at) => isDue(options, due[at] ?? null, nowMs));
  };
}

/** Returns whether a deadline satisfies the filters. @param end null for an entity without a timer */
export function isDue({ dueWithin, stuck = false }: DueOptions, end: number | null, nowMs: number): boolean {
  if (stuck && end !== null && end > nowMs) return false;
  return dueWithin === undefined || (end !== null && end <= nowMs + durationMs(dueWithin));
}
