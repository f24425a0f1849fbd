import type { Valkey } from "iovalkey";
import { pairsOf } from "../contract/flat-reply.js";
import { type Part, prefixOf } from "./entity-places.js";

/** So many ids come with a step, more or less. */
const STEP = 100;
/** Keys looked through in a step: most of them belong to something else. */
const KEYS_STEP = 500;

/** The members of a sorted set, in steps; those that stay all the while come at least once. */
export async function* membersOf(client: Valkey, key: string): AsyncGenerator<string[], void> {
  let cursor = "0";
  do {
    const [next, flat] = await client.zscan(key, cursor, "COUNT", STEP);
    yield pairsOf(flat).map(([id]) => id);
    cursor = next;
  } while (cursor !== "0");
}

/** The ids of all entity hashes and logs of a partition, in steps, from a walk over all keys of the server. */
export async function* keyedIds(client: Valkey, part: Part): AsyncGenerator<string[], void> {
  const prefix = prefixOf(part);
  let cursor = "0";
  do {
    // Names hold nothing that a pattern would read as more than itself.
    const [next, keys] = await client.scan(cursor, "MATCH", `${prefix}*`, "COUNT", KEYS_STEP);
    yield keys.flatMap((key) => {
      const rest = key.slice(prefix.length);
      if (rest.startsWith("id:")) return [rest.slice("id:".length)];
      return rest.startsWith("log:") ? [rest.slice("log:".length)] : [];
    });
    cursor = next;
  } while (cursor !== "0");
}

/** Ids in groups small enough for one step. */
export function* groupsOf(ids: readonly string[]): Generator<string[], void> {
  for (let at = 0; at < ids.length; at += STEP) yield ids.slice(at, at + STEP);
}
