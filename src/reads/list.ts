import { checkWhole, isId } from "../contract/arguments.js";
import type { Snapshot } from "../contract/document.js";
import type { Fields } from "../contract/own-fields.js";
import type { Duration } from "../machine/duration.js";
import { ask, type EntityReadOptions, type LimitedStore, limited } from "../valkey/ask.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { readServerTime } from "../valkey/server-clock.js";
import { type CursorScope, cursorText, parseCursor } from "./cursor.js";
import { dueFilter } from "./due.js";
import { getMany } from "./get-many.js";
import { readRange, readRanges } from "./index.js";
import { needMachine } from "./installed-machine.js";
import {
  checkFilter,
  FILTER_OPTIONS,
  filterText,
  type ListFilter,
  needsTime,
  rangesIn,
} from "./list-filter.js";
import { isWithin, type Position, type StateRange } from "./position.js";

export type { ListFilter } from "./list-filter.js";

/** Options of `list`. */
export interface ListOptions<S extends string = string>
  extends ListFilter<S>,
    Pick<EntityReadOptions, "reads"> {
  /**
   * Time limit of each request; a list makes as many as it needs.
   * @default the `timeout` of `connect`, else "5s"
   */
  readonly timeout?: Duration;
  /** Ends the list when aborted. */
  readonly signal?: AbortSignal;
}

/** Options of `listPage`. */
export interface PageOptions<S extends string = string> extends ListFilter<S>, EntityReadOptions {
  /** Maximum number of entities, 1 to 1000. @default 100 */
  readonly limit?: number;
  /** Cursor of the previous page; omit it for the first page. */
  readonly cursor?: string;
}

/** A page of a list, ordered by state, then longest in it first. */
export interface Page<S extends string = string, F extends object = Fields> {
  readonly items: readonly Snapshot<S, F>[];
  /** Cursor of the next page; absent on the last page. */
  readonly cursor?: string;
}

/** Option names of `list`, without those of every read. */
export const LIST_OPTIONS: readonly (keyof ListOptions)[] = [...FILTER_OPTIONS, "reads"];
/** Option names of `listPage`, without those of every read. */
export const PAGE_OPTIONS: readonly (keyof PageOptions)[] = [...LIST_OPTIONS, "limit", "cursor"];
/** Default length of a page. */
export const PAGE = 100;
/** Maximum number of entities in one page. */
export const LONGEST_PAGE = 1000;
/** Number of index entries that are read at once if few of them may match the filter. */
const BATCH = 1000;

/**
 * Reads one page. An entity that changes its state between two pages may be listed twice, or be missed if it moved to a
 * state that was already listed; {@link list} does neither.
 *
 * @throws ContractError with code BADARG if the cursor belongs to another machine, partitioning or filter
 */
export async function listPage<S extends string, F extends object = Fields>(
  store: MachineStore,
  options: PageOptions<S>,
): Promise<Page<S, F>> {
  const limits = limited(store, options, PAGE_OPTIONS);
  checkFilter(options);
  const { limit = PAGE, cursor } = options;
  checkWhole("limit", limit, 1, LONGEST_PAGE);
  const nowMs = await nowFor(limits, options);
  const ranges = await rangesOf(limits, options, nowMs);
  const filter = dueFilter(limits, options, nowMs);
  const scope: CursorScope = { ...store.location, filter: filterText(options) };
  let position = cursor === undefined ? undefined : parseCursor(cursor, scope);
  // One more than the limit: the page has a cursor only if an entity follows.
  const found: Listed<S, F>[] = [];
  for (const range of ranges) {
    if (position !== undefined && position.score > range.to) continue;
    while (found.length <= limit) {
      const left = limit + 1 - found.length;
      const entries = await readRange(limits, range, position, filter === undefined ? left : BATCH);
      if (entries.length === 0) break;
      const matches = ((await filter?.(entries)) ?? entries).slice(0, left);
      found.push(...(await loadEntities<S, F>(limits, [range], matches)));
      position = (matches.length === left ? matches : entries).at(-1);
    }
  }
  const items = found.slice(0, limit).map(({ entity }) => entity);
  const last = found.length > limit ? found[limit - 1] : undefined;
  return { items, ...(last !== undefined && { cursor: cursorText(scope, last.position) }) };
}

/**
 * Lists entities, ordered by state, then longest in it first. An entity that exists and matches the filter all the time
 * is listed exactly once, wherever it moves meanwhile and whatever the clocks do. New entities are not listed.
 *
 * Reads all ids first ({@link readRanges}), and the entities while the caller takes them.
 */
export async function* list<S extends string, F extends object = Fields>(
  store: MachineStore,
  options: ListOptions<S>,
): AsyncGenerator<Snapshot<S, F>, void> {
  const { deadline: _, ...limits } = limited(store, options, LIST_OPTIONS); // each request has the whole timeout
  checkFilter(options);
  try {
    const nowMs = await nowFor(limits, options);
    const ranges = await rangesOf(limits, options, nowMs);
    const filter = dueFilter(limits, options, nowMs);
    const entries = await readRanges(limits, ranges);
    for (const batch of groupsOf(entries, BATCH)) {
      for (const matches of groupsOf((await filter?.(batch)) ?? batch, PAGE)) {
        for (const { entity } of await loadEntities<S, F>(limits, ranges, matches)) {
          if (options.signal?.aborted) return;
          yield entity;
        }
      }
    }
  } catch (error) {
    if (!options.signal?.aborted) throw error;
  }
}

function* groupsOf<T>(items: readonly T[], size: number): Generator<readonly T[], void> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}

/** An entity, and the index entry that led to it. */
interface Listed<S extends string, F extends object> {
  readonly entity: Snapshot<S, F>;
  readonly position: Position;
}

/** Loads the entities of index entries, skipping those that have left the ranges. */
async function loadEntities<S extends string, F extends object = Fields>(
  store: LimitedStore,
  ranges: readonly StateRange[],
  entries: readonly Position[],
): Promise<Listed<S, F>[]> {
  // Invalid ids are damage, which fsck reports.
  const valid = entries.filter(({ id }) => isId(id));
  const entities = await getMany<S, F>(
    store,
    valid.map(({ id }) => id),
    `list ${store.location.machine}`,
  );
  const listed: Listed<S, F>[] = [];
  for (const [at, position] of valid.entries()) {
    const entity = entities[at] ?? null;
    if (entity !== null && ranges.some((range) => isWithin(range, entity))) listed.push({ entity, position });
  }
  return listed;
}

async function rangesOf(store: LimitedStore, options: ListFilter, nowMs: number): Promise<StateRange[]> {
  return rangesIn(await needMachine(store, "list"), options, nowMs);
}

/** Reads the server's time in ms if the options compare with it. */
async function nowFor(store: LimitedStore, options: ListFilter): Promise<number> {
  if (!needsTime(options)) return 0;
  return (await ask(store.connection, `list ${store.location.machine}`, readServerTime, store)).nowMs;
}
