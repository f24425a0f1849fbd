import {
  checkDuration,
  checkFlag,
  checkKnownStates,
  checkOptions,
  checkWhole,
  isId,
} from "../contract/arguments.js";
import type { Snapshot } from "../contract/document.js";
import { dueAt } from "../contract/due-at.js";
import { stateOf } from "../machine/compiled.js";
import { type Duration, durationMs } from "../machine/duration.js";
import { ask } from "../valkey/ask.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { readServerTime, type ServerTime } from "../valkey/server-clock.js";
import { type DueFilter, type DueOptions, dueFilter } from "./due.js";
import { getMany } from "./get.js";
import { movedSince, readRange } from "./index.js";
import { needMachine } from "./installed-machine.js";
import { cursorText, type Position, parseCursor, type StateRange, stateRange } from "./position.js";

/** Filters of `list`. */
export interface ListOptions<S extends string = string> extends DueOptions {
  /** Only entities in this state, or in one of these states. */
  readonly state?: S | readonly S[];
  /** Only entities that have been in their state for at least this long. */
  readonly olderThan?: Duration;
}

/** Options of `listPage`. */
export interface PageOptions<S extends string = string> extends ListOptions<S> {
  /** Maximum number of entities, 1 to 1000. @default 100 */
  readonly limit?: number;
  /** Cursor of the previous page; omit it for the first page. */
  readonly cursor?: string;
}

/** A page of a list, ordered by state, then longest in it first. */
export interface Page<S extends string = string> {
  readonly items: readonly Snapshot<S>[];
  /** Cursor of the next page; absent on the last page. */
  readonly cursor?: string;
}

const LIST_OPTIONS: readonly (keyof ListOptions)[] = ["state", "olderThan", "dueWithin", "stuck"];
const PAGE_OPTIONS: readonly (keyof PageOptions)[] = [...LIST_OPTIONS, "limit", "cursor"];
const PAGE = 100;
/** Maximum number of entities in one page. */
export const LONGEST_PAGE = 1000;
/** Number of index entries that are read at once if few of them may match the filter. */
const BATCH = 1000;

/**
 * Reads one page. An entity that changes its state between two pages may be listed twice, or be missed if it moved to a
 * state that was already listed; {@link list} does neither.
 */
export async function listPage<S extends string>(
  store: MachineStore,
  options: PageOptions<S>,
): Promise<Page<S>> {
  checkListOptions(options, PAGE_OPTIONS);
  const { limit = PAGE } = options;
  checkWhole("limit", limit, 1, LONGEST_PAGE);
  const needsTime = options.olderThan !== undefined || isTimed(options);
  const { nowMs } = needsTime ? await serverTime(store) : { nowMs: 0 };
  const ranges = await rangesOf(store, options, nowMs);
  const filter = dueFilter(store, options, nowMs);
  let position = options.cursor === undefined ? undefined : parseCursor(options.cursor);
  const items: Snapshot<S>[] = [];
  for (const range of ranges) {
    if (position !== undefined && position.score > range.to) continue;
    while (items.length < limit) {
      const left = limit - items.length;
      const entries = await readRange(store, range, position, filter === undefined ? left : BATCH);
      const matches = (await filter?.(entries))?.slice(0, left) ?? entries;
      items.push(...(await loadEntities<S>(store, [range], matches)));
      position = (matches.length === left ? matches.at(-1) : entries.at(-1)) ?? position;
      if (entries.length === 0) break;
    }
    if (items.length === limit) break;
  }
  if (items.length < limit || position === undefined) return { items };
  return { items, cursor: cursorText(position) };
}

/**
 * Lists entities, ordered by state, then longest in it first. An entity that exists and matches the filter all the time
 * is listed exactly once, even if it moves between listed states meanwhile.
 */
export async function* list<S extends string>(
  store: MachineStore,
  options: ListOptions<S>,
): AsyncGenerator<Snapshot<S>, void> {
  checkListOptions(options, LIST_OPTIONS);
  const { nowMs, errorMs } = await serverTime(store);
  const ranges = await rangesOf(store, options, nowMs);
  const filter = dueFilter(store, options, nowMs);
  const listed = new Set<string>();
  for (const range of ranges) {
    // Ends at the start time: entities may enter a state faster than it is read.
    const to = Math.min(range.to, range.from + nowMs + errorMs);
    for await (const entity of walk<S>(store, { ...range, to }, filter)) {
      if (listed.has(entity.id)) continue;
      listed.add(entity.id);
      yield entity;
    }
  }
  if (options.olderThan !== undefined) return; // entities that entered a state meanwhile do not match
  // Entities that entered a listed state meanwhile are after the end time. New ones are not listed.
  const moved = await movedSince(store, ranges, nowMs - errorMs);
  const entries = moved.flatMap((id) => (listed.has(id) ? [] : [{ id, score: 0 }]));
  const missed = (await filter?.(entries)) ?? entries;
  for (let at = 0; at < missed.length; at += PAGE) {
    for (const entity of await loadEntities<S>(store, ranges, missed.slice(at, at + PAGE))) {
      if (Date.parse(entity.createdAt) <= nowMs + errorMs) yield entity;
    }
  }
}

async function* walk<S extends string>(
  store: MachineStore,
  range: StateRange,
  filter: DueFilter | undefined,
): AsyncGenerator<Snapshot<S>, void> {
  let position: Position | undefined;
  for (;;) {
    const entries = await readRange(store, range, position, filter === undefined ? PAGE : BATCH);
    yield* await loadEntities<S>(store, [range], (await filter?.(entries)) ?? entries);
    position = entries.at(-1);
    if (position === undefined) return;
  }
}

/** Loads the entities of index entries, skipping those that have left the states of the ranges. */
async function loadEntities<S extends string>(
  store: MachineStore,
  ranges: readonly StateRange[],
  entries: readonly Position[],
): Promise<Snapshot<S>[]> {
  // Invalid ids are damage, which fsck reports.
  const ids = entries.map(({ id }) => id).filter((id) => isId(id));
  const entities = await getMany<S>(store, ids);
  return entities.flatMap((entity) =>
    entity !== null && ranges.some(({ state }) => state === entity.state) ? [entity] : [],
  );
}

async function rangesOf(store: MachineStore, options: ListOptions, nowMs: number): Promise<StateRange[]> {
  const { ordinals, definition } = await needMachine(store.connection, store.location, "list");
  const wanted = options.state === undefined ? ordinals : [options.state].flat();
  checkKnownStates(store.location.machine, wanted, ordinals);
  const untilMs = options.olderThan === undefined ? undefined : nowMs - durationMs(options.olderThan);
  const hasTimer = (name: string): boolean => {
    const state = stateOf(definition, name);
    return state !== undefined && dueAt(state, 0) !== undefined;
  };
  return ordinals.flatMap((state, ordinal) =>
    wanted.includes(state) && (!isTimed(options) || hasTimer(state))
      ? [stateRange(state, ordinal, untilMs)]
      : [],
  );
}

/** True if the options filter by deadline, so that only states with a timer match. */
function isTimed({ dueWithin, stuck }: ListOptions): boolean {
  return dueWithin !== undefined || stuck === true;
}

/** @throws ContractError with code BADARG if an option is unknown or invalid */
function checkListOptions(options: ListOptions, known: readonly string[]): void {
  checkOptions(options, known);
  for (const name of ["olderThan", "dueWithin"] as const) {
    const duration = options[name];
    if (duration !== undefined) checkDuration(name, duration);
  }
  checkFlag("stuck", options.stuck);
}

function serverTime(store: MachineStore): Promise<ServerTime> {
  return ask(store.connection, `list ${store.location.machine}`, readServerTime);
}
