import type { Valkey } from "iovalkey";
import { ask, limited, type ReadOptions } from "../valkey/ask.js";
import { allPartitionKeys, type MachineLocation, reactionKeys } from "../valkey/keys.js";
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

/** Reads the progress of every reaction of a machine, by name. @throws NotExecutedError if the server does not reply */
export async function reactions(store: MachineStore, options: ReadOptions): Promise<ReactionStats[]> {
  const { connection, location, ...limits } = limited(store, options);
  const read = (client: Valkey): Promise<ReactionStats[]> => reactionStats(client, location);
  return ask(connection, `reactions of ${location.machine}`, read, limits);
}

/** Reads the progress of every reaction through a client, once. */
export async function reactionStats(client: Valkey, location: MachineLocation): Promise<ReactionStats[]> {
  const { nowMs } = await readServerTime(client);
  const age = (ms: number): number | undefined => finite(Math.max(0, nowMs - ms));
  const partsByName = new Map<string, ReactionStats[]>();
  for (const [partition, { events }] of allPartitionKeys(location).entries()) {
    for (const group of await streamGroups(client, events)) {
      const name = String(group.get("name"));
      const pending = Number(group.get("pending"));
      const lag = group.get("lag");
      const { deadLetters, lastSeen } = reactionKeys(location, partition, name);
      const heartbeats = await client.zrangebyscore(lastSeen, "-inf", "+inf", "WITHSCORES");
      const part = {
        name,
        lag: lag === null || lag === undefined ? undefined : Number(lag),
        pending,
        oldestPendingMs: age(pending === 0 ? Number.NaN : await oldestPending(client, events, name)),
        consumers: heartbeats.length / 2,
        lastSeenMs: age(Number(heartbeats.at(-1))),
        deadLetters: await client.xlen(deadLetters),
      };
      partsByName.set(name, [...(partsByName.get(name) ?? []), part]);
    }
  }
  const all = [...partsByName].map(([name, parts]) => {
    const { lag, pending, deadLetters, consumers } = totalOf(name, parts);
    const oldestPendingMs = finite(Math.max(...parts.flatMap((part) => part.oldestPendingMs ?? [])));
    const lastSeenMs = finite(Math.min(...parts.flatMap((part) => part.lastSeenMs ?? [])));
    return { name, lag, pending, oldestPendingMs, consumers, lastSeenMs, deadLetters };
  });
  return all.sort((a, b) => (a.name < b.name ? -1 : 1));
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
