import { type Duration, durationMs } from "../machine/duration.js";
import { allPartitionKeys } from "../valkey/keys.js";
import { readServerTime } from "../valkey/server-clock.js";
import { clientOf, type Store } from "./call.js";
import type { Snapshot } from "./document.js";
import { ContractError } from "./errors.js";
import { readMachine } from "./machine-record.js";
import { cursorText, isBehind, type Position, parseCursor, type Stretch, stretchOf } from "./position.js";
import { getMany } from "./read.js";

/** Which entities to list. */
export interface ListOptions<S extends string = string> {
  /** Only those in this state, or in one of these. */
  readonly state?: S | readonly S[];
  /** Only those that have been in their state for at least this long. */
  readonly olderThan?: Duration;
}

/** Which page of a list. */
export interface PageOptions<S extends string = string> extends ListOptions<S> {
  /** At most this many entities, 1 to 1000. @default 100 */
  readonly limit?: number;
  /** Where the page before ended. */
  readonly cursor?: string;
}

/** A part of a list: by state, then longest in it first. */
export interface Page<S extends string = string> {
  readonly items: readonly Snapshot<S>[];
  /** Where to go on; absent at the end. */
  readonly cursor?: string;
}

const PAGE = 100;
const LONGEST_PAGE = 1000;

/**
 * Reads one page. An entity that changes its state between two pages may be met again, or be missed where it moved
 * to a state already listed; {@link list} has neither.
 */
export async function listPage<S extends string>(store: Store, options: PageOptions<S>): Promise<Page<S>> {
  const limit = options.limit ?? PAGE;
  if (!Number.isInteger(limit) || limit < 1 || limit > LONGEST_PAGE) {
    throw new RangeError(`limit must be a whole number from 1 to ${LONGEST_PAGE}`);
  }
  const stretches = await stretchesOf(store, options);
  let position = options.cursor === undefined ? undefined : parseCursor(options.cursor);
  const items: Snapshot<S>[] = [];
  for (const stretch of stretches) {
    if (position !== undefined && position.score > stretch.to) continue;
    while (items.length < limit) {
      const found = await readStretch(store, stretch, position, limit - items.length);
      items.push(...(await present<S>(store, stretch, found)));
      position = found.at(-1) ?? position;
      if (found.length === 0) break;
    }
    if (items.length === limit) break;
  }
  const isEnd = items.length < limit || position === undefined;
  return { items, ...(!isEnd && { cursor: cursorText(position as Position) }) };
}

/**
 * Lists entities, by state and then longest in it first. Stable under change: an entity that exists all the while,
 * and fits the filter all the while, comes exactly once, even where it moves between listed states meanwhile.
 */
export async function* list<S extends string>(
  store: Store,
  options: ListOptions<S>,
): AsyncGenerator<Snapshot<S>, void> {
  const { nowMs, errorMs } = await readServerTime(clientOf(store));
  const stretches = await stretchesOf(store, options);
  const seen = new Set<string>();
  const canMove = stretches.length > 1;
  for (const stretch of stretches) yield* walk<S>(store, stretch, canMove ? seen : undefined);
  if (!canMove || options.olderThan !== undefined) return;
  // Those that moved meanwhile to a state already listed: each entered it after the start. New ones do not count.
  const started = nowMs - errorMs;
  for (let met = true; met; ) {
    met = false;
    for (const stretch of stretches) {
      for await (const entity of walk<S>(store, { ...stretch, from: stretch.from + started }, seen)) {
        if (Date.parse(entity.createdAt) >= started) continue;
        met = true;
        yield entity;
      }
    }
  }
}

async function* walk<S extends string>(
  store: Store,
  stretch: Stretch,
  seen?: Set<string>,
): AsyncGenerator<Snapshot<S>, void> {
  let position: Position | undefined;
  for (;;) {
    const found = await readStretch(store, stretch, position, PAGE);
    for (const entity of await present<S>(store, stretch, found)) {
      if (seen?.has(entity.id)) continue;
      seen?.add(entity.id);
      yield entity;
    }
    position = found.at(-1);
    if (position === undefined) return;
  }
}

/** The entities of some index entries that are still in the stretch's state. */
async function present<S extends string>(
  store: Store,
  stretch: Stretch,
  found: readonly Position[],
): Promise<Snapshot<S>[]> {
  const entities = await getMany<S>(
    store,
    found.map(({ id }) => id),
  );
  return entities.filter((entity) => entity !== null && entity.state === stretch.state) as Snapshot<S>[];
}

async function stretchesOf(store: Store, options: ListOptions): Promise<Stretch[]> {
  const installed = await readMachine(clientOf(store), store.place);
  const ordinals = installed?.ordinals ?? [];
  const wanted = options.state === undefined ? ordinals : [options.state].flat();
  for (const state of wanted) {
    if (!ordinals.includes(state)) {
      throw new ContractError(
        "BADARG",
        `"${state}" is no state of ${store.place.machine}; it has ${ordinals.join(", ")}`,
      );
    }
  }
  let untilMs: number | undefined;
  if (options.olderThan !== undefined) {
    untilMs = (await readServerTime(clientOf(store))).nowMs - durationMs(options.olderThan);
  }
  return ordinals.flatMap((state, ordinal) =>
    wanted.includes(state) ? [stretchOf(state, ordinal, untilMs)] : [],
  );
}

/** Up to `limit` index entries behind `position`, over all partitions, in the index's order. */
async function readStretch(
  store: Store,
  stretch: Stretch,
  position: Position | undefined,
  limit: number,
): Promise<Position[]> {
  const keys = allPartitionKeys(store.place);
  const parts = await Promise.all(keys.map(({ index }) => readIndex(store, index, stretch, position, limit)));
  return parts
    .flat()
    .sort((a, b) => (isBehind(a, b) ? 1 : -1))
    .slice(0, limit);
}

async function readIndex(
  store: Store,
  key: string,
  stretch: Stretch,
  position: Position | undefined,
  limit: number,
): Promise<Position[]> {
  const from = Math.max(stretch.from, position?.score ?? 0);
  const found: Position[] = [];
  // Entries of the position's own score come again, up to its id: read on until enough stand behind it.
  for (let offset = 0; found.length < limit; ) {
    const flat = await clientOf(store).zrangebyscore(
      key,
      from,
      stretch.to,
      "WITHSCORES",
      "LIMIT",
      offset,
      limit,
    );
    for (let at = 0; at + 1 < flat.length; at += 2) {
      const entry = { id: flat[at] ?? "", score: Number(flat[at + 1]) };
      if (position === undefined || isBehind(entry, position)) found.push(entry);
    }
    offset += flat.length / 2;
    if (flat.length / 2 < limit) break;
  }
  return found.slice(0, limit);
}
