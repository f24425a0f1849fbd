import type { Valkey } from "iovalkey";
import { ask } from "../valkey/ask.js";
import {
  allPartitionKeys,
  entityKey,
  logKey,
  type MachineLocation,
  type PartitionKeys,
  partitionKeys,
  reactionKeys,
} from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { readServerTime } from "../valkey/server-clock.js";
import { streamGroups } from "../valkey/stream.js";
import { count } from "./count.js";

/** One part of what is kept. */
export interface PartStats {
  readonly keys: number;
  /** Of the server's memory; of entities and logs by a sample, of large keys by a sample of their members. */
  readonly bytes: number;
}

/** What there is of one machine. */
export interface Stats {
  readonly machine: string;
  readonly partitions: number;
  readonly entities: number;
  readonly states: Readonly<Record<string, number>>;
  /** Entities with a deadline, and those whose deadline is over. */
  readonly due: { readonly entries: number; readonly over: number };
  /** Changes that the event log holds. */
  readonly events: number;
  readonly memory: Readonly<
    Record<"entities" | "logs" | "index" | "due" | "events" | "reactions" | "machine" | "total", PartStats>
  >;
}

/** So many entities of a partition are weighed. */
const SAMPLE = 200;

/** Counts and weighs what a machine keeps, with questions that are small for the server. */
export async function stats(store: MachineStore): Promise<Stats> {
  const { connection, location } = store;
  const states = await count(store);
  return ask(connection, `stats ${location.machine}`, async (client) => {
    const { nowMs } = await readServerTime(client);
    const parts: Part[] = [];
    for (const [partition, keys] of allPartitionKeys(location).entries())
      parts.push({
        ...(await statsOf(client, store, keys, nowMs)),
        reactions: await reactionsOf(client, location, partition),
      });
    const sum = (of: (part: Part) => number): number => parts.reduce((total, part) => total + of(part), 0);
    const entities = sum((part) => part.entities);
    const shared = (name: "index" | "due" | "events" | "machine"): PartStats => ({
      keys: sum((part) => (part[name] > 0 ? 1 : 0)),
      bytes: sum((part) => part[name]),
    });
    const kept = {
      entities: { keys: entities, bytes: sum((part) => part.entityBytes) },
      logs: { keys: sum((part) => part.logs), bytes: sum((part) => part.logBytes) },
      ...{ index: shared("index"), due: shared("due") },
      events: shared("events"),
      reactions: {
        keys: sum((part) => part.reactions.keys),
        bytes: sum((part) => part.reactions.bytes),
      },
      machine: shared("machine"),
    };
    const all = Object.values(kept);
    const total = {
      keys: all.reduce((n, { keys }) => n + keys, 0),
      bytes: all.reduce((n, { bytes }) => n + bytes, 0),
    };
    return {
      ...{ machine: location.machine, partitions: location.partitions, entities, states },
      due: { entries: sum((part) => part.dueEntries), over: sum((part) => part.over) },
      events: sum((part) => part.eventEntries),
      memory: { ...kept, total },
    };
  });
}

/** The same of one partition. */
type Part = Readonly<
  Record<
    | "entities"
    | "dueEntries"
    | "over"
    | "eventEntries"
    | "index"
    | "due"
    | "events"
    | "machine"
    | "entityBytes"
    | "logBytes"
    | "logs",
    number
  >
> & { readonly reactions: PartStats };

async function statsOf(
  client: Valkey,
  { location }: MachineStore,
  keys: PartitionKeys,
  nowMs: number,
): Promise<Omit<Part, "reactions">> {
  const [entities, dueEntries, over, eventEntries, index, due, events, machine, ids] = await Promise.all([
    client.zcard(keys.index),
    client.zcard(keys.due),
    client.zcount(keys.due, "-inf", nowMs),
    client.xlen(keys.events),
    bytesOf(client, keys.index),
    bytesOf(client, keys.due),
    bytesOf(client, keys.events),
    bytesOf(client, keys.machine),
    client.zrandmember(keys.index, SAMPLE),
  ]);
  const weights = await Promise.all(
    [ids].flat().map(async (id) => ({
      entity: await bytesOf(client, entityKey(location, id)),
      log: await bytesOf(client, logKey(location, id)),
    })),
  );
  // As many as the sample stands for: all of them, where it is whole.
  const scale = weights.length === 0 ? 0 : entities / weights.length;
  const sum = (of: (weight: (typeof weights)[number]) => number): number =>
    Math.round(scale * weights.reduce((total, weight) => total + of(weight), 0));
  return {
    ...{ entities, dueEntries, over, eventEntries, index, due, events, machine },
    entityBytes: sum(({ entity }) => entity),
    logBytes: sum(({ log }) => log),
    logs: sum(({ log }) => (log > 0 ? 1 : 0)),
  };
}

/** What reactions keep in a partition, but for how far they have come, which the event log itself holds. */
async function reactionsOf(client: Valkey, location: MachineLocation, partition: number): Promise<PartStats> {
  const groups = await streamGroups(client, partitionKeys(location, partition).events);
  const keys = groups.flatMap((group) => {
    const { events, ...own } = reactionKeys(location, partition, String(group.get("name")));
    return Object.values(own);
  });
  const bytes = await Promise.all(keys.map((key) => bytesOf(client, key)));
  return { keys: bytes.filter((one) => one > 0).length, bytes: bytes.reduce((all, one) => all + one, 0) };
}

/** The memory of one key; 0 for none. */
async function bytesOf(client: Valkey, key: string): Promise<number> {
  return (await client.memory("USAGE", key)) ?? 0;
}
