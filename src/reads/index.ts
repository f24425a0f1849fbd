import type { Valkey } from "iovalkey";
import { scoredIds } from "../contract/flat-reply.js";
import { ask, type LimitedStore, type Limits } from "../valkey/ask.js";
import { askEach } from "../valkey/ask-each.js";
import { allPartitionKeys } from "../valkey/keys.js";
import { sendAll } from "../valkey/lean-command.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { scanSet } from "../valkey/set-scan.js";
import { isAfter, type Position, type StateRange } from "./position.js";

/** One partition of a range, as far as it was read. */
interface Part {
  readonly key: string;
  readonly entries: Position[];
  position: Position | undefined;
  isEnd: boolean;
}

/**
 * Reads up to `limit` index entries of a range after `position`, of all partitions, in the order of the index. Entities are
 * spread evenly, so a few entries of each partition are enough for most of the result; then those partitions are read on
 * whose next entries can belong to it.
 */
export async function readRange(
  store: LimitedStore,
  range: StateRange,
  position: Position | undefined,
  limit: number,
): Promise<Position[]> {
  const parts = allPartitionKeys(store.location).map(
    ({ index }): Part => ({ key: index, entries: [], position, isEnd: false }),
  );
  const share = Math.min(limit, Math.ceil((2 * limit) / parts.length) + 4);
  let found: Position[] = [];
  for (let open = parts; open.length > 0; ) {
    await readOn(store, range, open, share);
    found = parts
      .flatMap(({ entries }) => entries)
      .sort((a, b) => (isAfter(a, b) ? 1 : -1))
      .slice(0, limit);
    const last = found.length < limit ? undefined : found.at(-1);
    open = open.filter(
      ({ isEnd, position: at }) => !isEnd && (last === undefined || (at !== undefined && isAfter(last, at))),
    );
  }
  return found;
}

/** Reads up to `limit` further entries of each part. */
async function readOn(
  { connection, location, ...limits }: LimitedStore,
  range: StateRange,
  parts: readonly Part[],
  limit: number,
): Promise<void> {
  const byKey = new Map(parts.map((part) => [part.key, part]));
  const read = (client: Valkey, keys: readonly string[]): Promise<Position[][]> =>
    readEntries(
      client,
      keys.map((key) => ({ key, position: byKey.get(key)?.position })),
      range,
      limit,
    );
  const replies = await askEach(connection, [...byKey.keys()], `list ${location.machine}`, read, limits);
  for (const [at, part] of parts.entries()) {
    const entries = replies[at] ?? [];
    part.entries.push(...entries);
    part.isEnd = entries.length < limit;
    part.position = entries.at(-1) ?? part.position;
  }
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
  const replies = await ask(store.connection.of(key), `list ${store.location.machine}`, read, store);
  const parts = replies?.map(([error, flat]) => {
    if (error !== null) throw error;
    return scoredIds(flat as string[]);
  });
  // More entities may have entered a range since they were counted.
  return parts?.every(({ length }) => length <= SNAPSHOT) ? parts.flat() : undefined;
}

async function scan(store: LimitedStore, key: string, ranges: readonly StateRange[]): Promise<Position[]> {
  const { location } = store;
  const connection = store.connection.of(key);
  const scores = new Map<string, number>();
  const askPage = <T>(question: (client: Valkey) => Promise<T>): Promise<T> =>
    ask(connection, `list ${location.machine}`, question, store);
  for await (const flat of scanSet(askPage, key, STEP)) {
    for (const { id, score } of scoredIds(flat)) {
      if (ranges.some(({ from, to }) => score >= from && score <= to)) scores.set(id, score);
    }
  }
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
  const read = async (client: Valkey): Promise<Position[]> =>
    (await readEntries(client, [{ key, position }], range, limit))[0] ?? [];
  return ask(store.connection.of(key), `list ${store.location.machine}`, read, store);
}

/**
 * Reads up to `limit` index entries of a range from each partition, after its position.
 *
 * By score and never by rank, because ranks change when entries leave. All entries with the position's own score are read,
 * because many entities may enter a state in the same millisecond.
 */
async function readEntries(
  client: Valkey,
  parts: readonly Pick<Part, "key" | "position">[],
  range: StateRange,
  limit: number,
): Promise<Position[][]> {
  const readFrom = (key: string, from: number | string, to: number, ...most: string[]) =>
    ["zrangebyscore", key, String(from), String(to), "WITHSCORES", ...most] as const;
  const begins = parts.map(({ position }) =>
    position && position.score >= range.from ? position : undefined,
  );
  const commands = parts.flatMap(({ key }, at) => {
    const score = begins[at]?.score;
    const later = readFrom(
      key,
      score === undefined ? range.from : `(${score}`,
      range.to,
      ...["LIMIT", "0", String(limit)],
    );
    return score === undefined ? [later] : [readFrom(key, score, score), later];
  });
  const replies = (await sendAll(client, commands)).map((flat) => scoredIds(flat as string[])).values();
  const next = (): Position[] => replies.next().value ?? [];
  return begins.map((begin) => {
    const tied = begin === undefined ? [] : next().filter((entry) => isAfter(entry, begin));
    return [...tied, ...next()].slice(0, limit);
  });
}
