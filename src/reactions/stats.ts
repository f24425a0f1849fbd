import type { Valkey } from "iovalkey";
import { scoredIds } from "../contract/flat-reply.js";
import { allPartitionKeys, type MachineLocation, reactionKeys } from "../valkey/keys.js";
import { timeMs } from "../valkey/server-clock.js";
import { streamGroups } from "../valkey/stream.js";

/** How far a reaction has come. */
export interface ReactionStats {
  readonly name: string;
  /** Changes in the log that it has not been given yet, whatever their type; undefined where the server can't tell. */
  readonly lag: number | undefined;
  /** Events that it was given and has not finished. */
  readonly pending: number;
  /** How long ago the oldest of those happened, in ms; undefined where there is none. */
  readonly oldestPendingMs: number | undefined;
  /** Replicas that take part, those included that died and whose events nobody took over yet. */
  readonly consumers: number;
  /** How long ago one of those last gave a sign of life, in ms; undefined where there is none. A living one does each second. */
  readonly lastSeenMs: number | undefined;
  readonly deadLetters: number;
}

/** Every reaction of a machine that was ever started, by name. */
export async function reactionStats(client: Valkey, location: MachineLocation): Promise<ReactionStats[]> {
  const nowMs = timeMs(await client.time());
  const found = new Map<string, ReactionStats[]>();
  for (const [partition, { events }] of allPartitionKeys(location).entries()) {
    for (const group of await streamGroups(client, events)) {
      const name = String(group.get("name"));
      const pending = Number(group.get("pending"));
      const oldest = pending === 0 ? undefined : await oldestOf(client, events, name);
      const lag = group.get("lag");
      const { dead, seen } = reactionKeys(location, partition, name);
      const signs = await signsOf(client, seen);
      const one = {
        name,
        lag: lag === null || lag === undefined ? undefined : Number(lag),
        pending,
        oldestPendingMs: oldest === undefined ? undefined : Math.max(0, nowMs - oldest),
        consumers: signs.length,
        lastSeenMs: signs.length === 0 ? undefined : Math.max(0, nowMs - Math.max(...signs)),
        deadLetters: await client.xlen(dead),
      };
      found.set(name, [...(found.get(name) ?? []), one]);
    }
  }
  return [...found.values()].map(together).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** When the oldest unfinished event happened: its id begins with that. */
async function oldestOf(client: Valkey, key: string, group: string): Promise<number | undefined> {
  const [, first] = (await client.xpending(key, group)) as [number, string | null];
  return first === null ? undefined : Number(first.split("-")[0]);
}

/** When each replica was last there. */
async function signsOf(client: Valkey, seen: string): Promise<number[]> {
  const flat = await client.zrangebyscore(seen, "-inf", "+inf", "WITHSCORES");
  return scoredIds(flat).map(({ score }) => score);
}

/** One reaction over all partitions; each replica takes part in all of them. */
function together(parts: readonly ReactionStats[]): ReactionStats {
  const sum = (of: (part: ReactionStats) => number): number => parts.reduce((all, part) => all + of(part), 0);
  const ages = parts.flatMap(({ oldestPendingMs }) => oldestPendingMs ?? []);
  const seen = parts.flatMap(({ lastSeenMs }) => lastSeenMs ?? []);
  return {
    name: parts[0]?.name ?? "",
    lag: parts.some(({ lag }) => lag === undefined) ? undefined : sum(({ lag }) => lag ?? 0),
    pending: sum(({ pending }) => pending),
    oldestPendingMs: ages.length === 0 ? undefined : Math.max(...ages),
    consumers: Math.max(...parts.map(({ consumers }) => consumers)),
    lastSeenMs: seen.length === 0 ? undefined : Math.min(...seen),
    deadLetters: sum(({ deadLetters }) => deadLetters),
  };
}
