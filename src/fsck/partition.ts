import type { Valkey } from "iovalkey";
import { liveIds } from "../contract/flat-reply.js";
import { type MachineLocation, type PartitionKeys, partitionKeys } from "../valkey/keys.js";
import { scanSet } from "../valkey/set-scan.js";

/** Describes one partition of a machine. */
export interface Partition {
  readonly location: MachineLocation;
  /** From 0. */
  readonly number: number;
  readonly keys: PartitionKeys;
  /** The beginning of all its keys. */
  readonly prefix: string;
}

/** Names the two keys of one entity. */
export interface EntityKeyPair {
  readonly entity: string;
  readonly log: string;
}

/** Number of ids in one step, approximately. */
const STEP = 100;
/** Keys that a SCAN examines in one step: most of them belong to something else. */
const KEYS_STEP = 500;

/** Returns the partition with this number. */
export function partitionAt(location: MachineLocation, number: number): Partition {
  const keys = partitionKeys(location, number);
  return { location, number, keys, prefix: keys.machine.slice(0, -"machine".length) };
}

/** Returns the keys that an entity has in this partition, even if its id belongs to another one. */
export function keysIn({ prefix }: Partition, id: string): EntityKeyPair {
  return { entity: `${prefix}id:${id}`, log: `${prefix}log:${id}` };
}

/**
 * Yields the members of a sorted set in steps, without tombstones, which have negative scores. Members that stay during
 * the walk are yielded at least once.
 */
export async function* membersOf(client: Valkey, key: string): AsyncGenerator<string[], void> {
  for await (const flat of scanSet((question) => question(client), key, STEP)) yield liveIds(flat);
}

/** Yields the ids of all entity hashes and logs of a partition, in steps, by a SCAN over all keys of the server. */
export async function* scanIds(client: Valkey, { prefix }: Partition): AsyncGenerator<string[], void> {
  let cursor = "0";
  do {
    // A prefix contains no character that a pattern treats specially.
    const [next, keys] = await client.scan(cursor, "MATCH", `${prefix}*`, "COUNT", KEYS_STEP);
    yield keys.flatMap((key) => /^(?:id|log):(.*)$/s.exec(key.slice(prefix.length))?.[1] ?? []);
    cursor = next;
  } while (cursor !== "0");
}

/** Splits ids into groups that are small enough for one step. */
export function* idGroups(ids: readonly string[]): Generator<string[], void> {
  for (let at = 0; at < ids.length; at += STEP) yield ids.slice(at, at + STEP);
}
