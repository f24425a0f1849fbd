import { scoredIds } from "../contract/flat-reply.js";
import { ask } from "../valkey/ask.js";
import { allPartitionKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { isAfter, type Position, type StateRange } from "./position.js";

/** Reads up to `limit` index entries of a range after `position`, of all partitions, in the order of the index. */
export async function readRange(
  store: MachineStore,
  range: StateRange,
  position: Position | undefined,
  limit: number,
): Promise<Position[]> {
  const keys = allPartitionKeys(store.location);
  const parts = await Promise.all(keys.map(({ index }) => readIndex(store, index, range, position, limit)));
  return parts
    .flat()
    .sort((a, b) => (isAfter(a, b) ? 1 : -1))
    .slice(0, limit);
}

/**
 * Reads the ids that entered one of the ranges' states since `ms` (server time). Reads each partition in one
 * transaction, so that an entity that moves between the ranges cannot be missed.
 */
export async function movedSince(
  store: MachineStore,
  ranges: readonly StateRange[],
  ms: number,
): Promise<string[]> {
  const parts = await ask(store.connection, `list ${store.location.machine}`, (client) =>
    Promise.all(
      allPartitionKeys(store.location).map(async ({ index }) => {
        const transaction = client.multi();
        for (const { from, to } of ranges) transaction.zrangebyscore(index, from + ms, to);
        const replies = (await transaction.exec()) ?? [];
        return replies.flatMap(([error, ids]) => {
          if (error !== null) throw error;
          return ids as string[];
        });
      }),
    ),
  );
  return parts.flat();
}

/** Reads up to `limit` index entries of a range after `position`, of one partition. */
export async function readIndex(
  store: Pick<MachineStore, "connection" | "location">,
  key: string,
  range: StateRange,
  position: Position | undefined,
  limit: number,
): Promise<Position[]> {
  const after = position !== undefined && position.score >= range.from ? position : undefined;
  // By score and never by rank, because ranks change when entries leave. All entries with the position's own score are
  // read, because many entities may enter a state in the same millisecond.
  const from = after === undefined ? range.from : `(${after.score}`;
  const [tied, later] = await ask(store.connection, `list ${store.location.machine}`, (client) =>
    Promise.all([
      after === undefined ? [] : client.zrangebyscore(key, after.score, after.score, "WITHSCORES"),
      client.zrangebyscore(key, from, range.to, "WITHSCORES", "LIMIT", 0, limit),
    ]),
  );
  const rest = after === undefined ? [] : scoredIds(tied).filter((entry) => isAfter(entry, after));
  return [...rest, ...scoredIds(later)].slice(0, limit);
}
