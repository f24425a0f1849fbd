import type { Valkey } from "iovalkey";
import { ask, type Limits, limited, type ReadOptions } from "../valkey/ask.js";
import type { Connection } from "../valkey/connection.js";
import { allPartitionKeys, type MachineLocation, partitionKeys, reactionKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { readServerTime } from "../valkey/server-clock.js";
import { streamGroups } from "../valkey/stream.js";

/** Contents of a reaction, over all partitions. */
export interface ReactionTotals {
  readonly name: string;
  /** Changes in the log that were not delivered yet, of any type; undefined if the server cannot determine it. */
  readonly lag: number | undefined;
  /** Events that were delivered and are not finished. */
  readonly pending: number;
  readonly deadLetters: number;
  /** Replicas that take part. A killed replica counts until its events are reassigned. */
  readonly consumers: number;
}

/** Progress of a reaction. */
export interface ReactionStats extends ReactionTotals {
  /** Time since the oldest pending event happened, in ms; undefined if none is pending. */
  readonly oldestPendingMs: number | undefined;
  /** Time since the last heartbeat of any replica, in ms; undefined without replicas. A live one sends one each second. */
  readonly lastSeenMs: number | undefined;
}

/** Reads the progress of every reaction of a machine, by name. @throws NotExecutedError if a server does not reply */
export async function reactions(store: MachineStore, options: ReadOptions): Promise<ReactionStats[]> {
  const { connection, location, ...limits } = limited(store, options);
  return reactionStats(connection, location, limits);
}

/** Reads the progress of every reaction of a machine, by name. @throws what `ask` throws */
export async function reactionStats(
  connection: Connection,
  location: MachineLocation,
  limits: Limits,
): Promise<ReactionStats[]> {
  const what = `reactions of ${location.machine}`;
  const partitions = await Promise.all(
    allPartitionKeys(location).map(({ events }, partition) =>
      ask(connection.of(events), what, (client) => partitionStats(client, location, partition), limits),
    ),
  );
  const partsByName = new Map<string, ReactionStats[]>();
  for (const part of partitions.flat())
    partsByName.set(part.name, [...(partsByName.get(part.name) ?? []), part]);
  const all = [...partsByName].map(([name, parts]) => {
    const { lag, pending, deadLetters, consumers } = totalOf(name, parts);
    const oldestPendingMs = finite(Math.max(...parts.flatMap((part) => part.oldestPendingMs ?? [])));
    const lastSeenMs = finite(Math.min(...parts.flatMap((part) => part.lastSeenMs ?? [])));
    return { name, lag, pending, oldestPendingMs, consumers, lastSeenMs, deadLetters };
  });
  return all.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Reads the progress of the reactions in one partition. Ages are by the clock of its server. */
async function partitionStats(
  client: Valkey,
  location: MachineLocation,
  partition: number,
): Promise<ReactionStats[]> {
  const { events } = partitionKeys(location, partition);
  const [{ nowMs }, groups] = await Promise.all([readServerTime(client), streamGroups(client, events)]);
  const age = (ms: number): number | undefined => finite(Math.max(0, nowMs - ms));
  return Promise.all(
    groups.map(async (group) => {
      const name = String(group.get("name"));
      const pending = Number(group.get("pending"));
      const lag = group.get("lag");
      const keys = reactionKeys(location, partition, name);
      const [heartbeats, oldest, deadLetters] = await Promise.all([
        client.zrangebyscore(keys.lastSeen, "-inf", "+inf", "WITHSCORES"),
        pending === 0 ? Number.NaN : oldestPending(client, events, name),
        client.xlen(keys.deadLetters),
      ]);
      return {
        name,
        lag: lag === null || lag === undefined ? undefined : Number(lag),
        pending,
        oldestPendingMs: age(oldest),
        consumers: heartbeats.length / 2,
        lastSeenMs: age(Number(heartbeats.at(-1))),
        deadLetters,
      };
    }),
  );
}

/** Adds up the partitions of one reaction. Each replica takes part in all of them. */
export function totalOf(name: string, parts: readonly Omit<ReactionTotals, "name">[]): ReactionTotals {
  const sum = (field: "lag" | "pending" | "deadLetters"): number =>
    parts.reduce((total, part) => total + (part[field] ?? 0), 0);
  return {
    name,
    lag: parts.some(({ lag }) => lag === undefined) ? undefined : sum("lag"),
    pending: sum("pending"),
    deadLetters: sum("deadLetters"),
    consumers: Math.max(...parts.map(({ consumers }) => consumers)),
  };
}

/** Reads the time of the oldest pending event, with which its ID begins; NaN if none is pending. */
async function oldestPending(client: Valkey, key: string, group: string): Promise<number> {
  const [, first] = (await client.xpending(key, group)) as [number, string | null];
  return Number(first?.split("-")[0]);
}

/** Converts NaN, and the minimum or maximum of an empty list, to undefined. */
function finite(ms: number): number | undefined {
  return Number.isFinite(ms) ? ms : undefined;
}
