import type { Valkey } from "iovalkey";
import { scoredIds } from "../contract/flat-reply.js";
import { ask, type LimitedStore, type Limits } from "../valkey/ask.js";
import { allPartitionKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { isAfter, type Position, type StateRange } from "./position.js";

/** Reads up to `limit` index entries of a range after `position`, of all partitions, in the order of the index. */
export async function readRange(
  store: LimitedStore,
  range: StateRange,
  position: Position | undefined,
  limit: number,
): Promise<Position[]> {
  const keys = allPartitionKeys(store.location);
  const parts = await Promise.all(keys.map(({ index }) => readIndex(store, index, range, position, limit)));
  const [only = [], ...others] = parts;
  if (others.length === 0) return only;
  return parts
    .flat()
    .sort((a, b) => (isAfter(a, b) ? 1 : -1))
    .slice(0, limit);
}

/** Maximum number of entries that one transaction reads; the server replies within a few milliseconds. */
const SNAPSHOT = 10_000;
/** Approximate number of entries that one ZSCAN reads. */
const STEP = 1000;

/**
 * Reads all index entries of the ranges in the order of the index. A member that stays in the ranges is read exactly once.
 *
 * Entities keep their id and change their score, so a walk by score can miss one that moves, at any setting of the clock.
 * Up to 10,000 entries of a partition are read in one transaction, which sees a single moment. More are read with ZSCAN,
 * which goes through the index by id: it returns every member that exists throughout, wherever it moves, and it ends.
 */
export async function readRanges(store: LimitedStore, ranges: readonly StateRange[]): Promise<Position[]> {
  const parts = await Promise.all(
    allPartitionKeys(store.location).map(
      async ({ index }) => (await snapshot(store, index, ranges)) ?? scan(store, index, ranges),
    ),
  );
  return parts.flat().sort((a, b) => (isAfter(a, b) ? 1 : -1));
}

/** Reads the ranges of one partition at one moment; undefined if there are too many entries. */
async function snapshot(
  store: LimitedStore,
  key: string,
  ranges: readonly StateRange[],
): Promise<Position[] | undefined> {
  const read = async (client: Valkey) => {
    const counts = await Promise.all(ranges.map(({ from, to }) => client.zcount(key, from, to)));
    if (counts.reduce((sum, number) => sum + number, 0) > SNAPSHOT) return undefined;
    const transaction = client.multi();
    for (const { from, to } of ranges)
      transaction.zrangebyscore(key, from, to, "WITHSCORES", "LIMIT", 0, SNAPSHOT + 1);
    return transaction.exec();
  };
  const replies = await ask(store.connection, `list ${store.location.machine}`, read, store);
  const parts = replies?.map(([error, flat]) => {
    if (error !== null) throw error;
    return scoredIds(flat as string[]);
  });
  // More entities may have entered a range since they were counted.
  return parts?.every(({ length }) => length <= SNAPSHOT) ? parts.flat() : undefined;
}

async function scan(store: LimitedStore, key: string, ranges: readonly StateRange[]): Promise<Position[]> {
  const { connection, location } = store;
  const scores = new Map<string, number>();
  let epoch: number;
  do {
    // The cursor of one server means nothing to another one, so the scan begins again after a reconnection.
    ({ epoch } = connection);
    let cursor = "0";
    do {
      const at = cursor;
      const read = (client: Valkey) => client.zscan(key, at, "COUNT", STEP);
      const [next, flat] = await ask(connection, `list ${location.machine}`, read, store);
      for (const { id, score } of scoredIds(flat)) {
        if (ranges.some(({ from, to }) => score >= from && score <= to)) scores.set(id, score);
      }
      cursor = next;
    } while (cursor !== "0" && epoch === connection.epoch);
  } while (epoch !== connection.epoch);
  return Array.from(scores, ([id, score]) => ({ id, score }));
}

/** Reads up to `limit` index entries of a range after `position`, of one partition. */
export async function readIndex(
  store: Pick<MachineStore, "connection" | "location"> & Limits,
  key: string,
  range: StateRange,
  position: Position | undefined,
  limit: number,
): Promise<Position[]> {
  const after = position !== undefined && position.score >= range.from ? position : undefined;
  // By score and never by rank, because ranks change when entries leave. All entries with the position's own score are
  // read, because many entities may enter a state in the same millisecond.
  const from = after === undefined ? range.from : `(${after.score}`;
  const read = (client: Valkey) =>
    Promise.all([
      after === undefined ? [] : client.zrangebyscore(key, after.score, after.score, "WITHSCORES"),
      client.zrangebyscore(key, from, range.to, "WITHSCORES", "LIMIT", 0, limit),
    ]);
  const [tied, later] = await ask(store.connection, `list ${store.location.machine}`, read, store);
  const rest = after === undefined ? [] : scoredIds(tied).filter((entry) => isAfter(entry, after));
  return [...rest, ...scoredIds(later)].slice(0, limit);
}
