import type { Valkey } from "iovalkey";
import { ask, limited, type ReadOptions } from "../valkey/ask.js";
import {
  allPartitionKeys,
  entityKey,
  logKey,
  type MachineLocation,
  partitionKeys,
  reactionKeys,
} from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { readServerTime } from "../valkey/server-clock.js";
import { streamGroups } from "../valkey/stream.js";
import { count } from "./count.js";
import { type EventLogSize, eventLogSize } from "./event-log-size.js";
import { needMachine } from "./installed-machine.js";

/** Memory usage of some keys. */
export interface MemoryUsage {
  readonly keys: number;
  /** Bytes of memory. Estimated from samples for entities, logs and large keys. */
  readonly bytes: number;
}

const PARTS = ["entities", "logs", "index", "due", "events", "reactions", "machine"] as const;

type MemoryPart = (typeof PARTS)[number];

/** Size of one machine's data. */
export interface Stats {
  readonly machine: string;
  readonly partitions: number;
  readonly entities: number;
  /** Number of entities by state. */
  readonly states: Readonly<Record<string, number>>;
  /** Number of entities with a timer, and of those whose timer is overdue. */
  readonly due: { readonly entries: number; readonly over: number };
  /** Number of changes in the event log. */
  readonly events: number;
  readonly eventLog: EventLogSize;
  /** Number of removed ids that the index remembers. */
  readonly tombstones: number;
  readonly memory: Readonly<Record<MemoryPart | "total", MemoryUsage>>;
}

interface PartitionStats {
  readonly entities: number;
  readonly tombstones: number;
  readonly timers: number;
  readonly overdue: number;
  readonly events: number;
  readonly memory: Readonly<Record<MemoryPart, MemoryUsage>>;
}

/** Number of entities per partition whose memory is measured. */
const SAMPLE = 200;

/** Counts a machine's entities and events and measures their memory, with requests that are cheap for the server. */
export async function stats(store: MachineStore, options: ReadOptions = {}): Promise<Stats> {
  const { connection, location } = store;
  const limits = limited(store, options);
  const states = await count(limits, "stats");
  const { definition } = await needMachine(limits, "stats");
  const clientOf = (key: string): Valkey => connection.of(key).client;
  const read = async (client: Valkey): Promise<Stats> => {
    const { nowMs } = await readServerTime(client);
    const parts: PartitionStats[] = [];
    for (const [partition, { events }] of allPartitionKeys(location).entries())
      parts.push(await partitionStats(clientOf(events), location, partition, nowMs));
    const usages = PARTS.map((part) => [part, total(parts.map(({ memory }) => memory[part]))] as const);
    const memory = Object.fromEntries(usages) as Record<MemoryPart, MemoryUsage>;
    return {
      machine: location.machine,
      partitions: location.partitions,
      entities: sum(parts.map(({ entities }) => entities)),
      states,
      due: {
        entries: sum(parts.map(({ timers }) => timers)),
        over: sum(parts.map(({ overdue }) => overdue)),
      },
      events: sum(parts.map(({ events }) => events)),
      eventLog: await eventLogSize(clientOf, location, definition.events.keep),
      tombstones: sum(parts.map(({ tombstones }) => tombstones)),
      memory: { ...memory, total: total(Object.values(memory)) },
    };
  };
  return ask(connection, `stats ${location.machine}`, read, limits);
}

async function partitionStats(
  client: Valkey,
  location: MachineLocation,
  partition: number,
  nowMs: number,
): Promise<PartitionStats> {
  const keys = partitionKeys(location, partition);
  const [entities, tombstones, timers, overdue, events, groups] = await Promise.all([
    client.zcount(keys.index, 0, "+inf"),
    client.zcount(keys.index, "-inf", "(0"),
    client.zcard(keys.due),
    client.zcount(keys.due, "-inf", nowMs),
    client.xlen(keys.events),
    streamGroups(client, keys.events),
  ]);
  const sample = await sampleIds(client, keys.index, tombstones, entities);
  const groupKeys = groups.flatMap((group) => {
    const { events: _, ...own } = reactionKeys(location, partition, String(group.get("name")));
    return Object.values(own);
  });
  const measure = (names: readonly string[]): Promise<MemoryUsage> => usageOf(client, names);
  const [entitySample, logSample, index, due, log, reactions, machine] = await Promise.all([
    measure(sample.map((id) => entityKey(location, id))),
    measure(sample.map((id) => logKey(location, id))),
    measure([keys.index]),
    measure([keys.due]),
    measure([keys.events]),
    measure(groupKeys),
    measure([keys.machine]),
  ]);
  /** Extrapolates from the sample to all entities. */
  const scale = (value: number): number =>
    sample.length === 0 ? 0 : Math.round((value * entities) / sample.length);
  const logs = { keys: scale(logSample.keys), bytes: scale(logSample.bytes) };
  const memory = { logs, index, due, events: log, reactions, machine };
  return {
    ...{ entities, tombstones, timers, overdue, events },
    memory: { ...memory, entities: { keys: entities, bytes: scale(entitySample.bytes) } },
  };
}

/** Picks ids of entities: all of them, or ids at random places of the index after its tombstones. */
async function sampleIds(
  client: Valkey,
  key: string,
  tombstones: number,
  entities: number,
): Promise<string[]> {
  if (entities <= SAMPLE) return client.zrange(key, tombstones, -1);
  const ranks = Array.from({ length: SAMPLE }, () => tombstones + Math.floor(Math.random() * entities));
  return (await Promise.all(ranks.map((rank) => client.zrange(key, rank, rank)))).flat();
}

/** Measures the keys that exist. */
async function usageOf(client: Valkey, keys: readonly string[]): Promise<MemoryUsage> {
  const sizes = await Promise.all(keys.map(async (key) => (await client.memory("USAGE", key)) ?? 0));
  return { keys: sizes.filter((bytes) => bytes > 0).length, bytes: sum(sizes) };
}

function total(usages: readonly MemoryUsage[]): MemoryUsage {
  return { keys: sum(usages.map(({ keys }) => keys)), bytes: sum(usages.map(({ bytes }) => bytes)) };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => a + b, 0);
}
