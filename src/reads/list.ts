import {
  checkDuration,
  checkFlag,
  checkOptions,
  checkWhole,
  isId,
  refuse,
  shortText,
} from "../contract/arguments.js";
import type { Snapshot } from "../contract/document.js";
import { dueAt } from "../contract/due-at.js";
import { type Duration, durationMs } from "../machine/duration.js";
import { ask } from "../valkey/ask.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { readServerTime, type ServerTime } from "../valkey/server-clock.js";
import { type DueFilter, type DueOptions, dueFilter } from "./due-filter.js";
import { getMany } from "./get.js";
import { movedSince, readStretch } from "./index.js";
import { needMachine } from "./installed-machine.js";
import { cursorText, type Position, parseCursor, type Stretch, stretchOf } from "./position.js";

/** Which entities to list. */
export interface ListOptions<S extends string = string> extends DueOptions {
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

const LIST_OPTIONS: ReadonlySet<string> = new Set<keyof ListOptions>([
  "state",
  "olderThan",
  "dueWithin",
  "stuck",
]);
const PAGE_OPTIONS: ReadonlySet<string> = new Set([...LIST_OPTIONS, "limit", "cursor"]);
const PAGE = 100;
const LONGEST_PAGE = 1000;
/** So many index entries are looked through at once, where few of them may fit. */
const LOOK = 1000;

/**
 * Reads one page. An entity that changes its state between two pages may be met again, or be missed where it moved
 * to a state already listed; {@link list} has neither.
 */
export async function listPage<S extends string>(
  store: MachineStore,
  options: PageOptions<S>,
): Promise<Page<S>> {
  checkKinds(options, PAGE_OPTIONS);
  const { limit = PAGE } = options;
  checkWhole("limit", limit, 1, LONGEST_PAGE);
  const { olderThan, dueWithin, stuck } = options;
  const isTimeless = olderThan === undefined && dueWithin === undefined && stuck !== true;
  const { nowMs } = isTimeless ? { nowMs: 0 } : await serverTime(store);
  const stretches = await stretchesOf(store, options, nowMs);
  const fits = dueFilter(store, options, nowMs);
  let position = options.cursor === undefined ? undefined : parseCursor(options.cursor);
  const items: Snapshot<S>[] = [];
  for (const stretch of stretches) {
    if (position !== undefined && position.score > stretch.to) continue;
    while (items.length < limit) {
      const left = limit - items.length;
      const found = await readStretch(store, stretch, position, fits === undefined ? left : LOOK);
      const kept = (await fits?.(found))?.slice(0, left) ?? found;
      items.push(...(await present<S>(store, stretch, kept)));
      position = (kept.length === left ? kept.at(-1) : found.at(-1)) ?? position;
      if (found.length === 0) break;
    }
    if (items.length === limit) break;
  }
  if (items.length < limit || position === undefined) return { items };
  return { items, cursor: cursorText(position) };
}

/**
 * Lists entities, by state and then longest in it first. Stable under change: an entity that exists all the while,
 * and fits the filter all the while, comes exactly once, even where it moves between listed states meanwhile.
 */
export async function* list<S extends string>(
  store: MachineStore,
  options: ListOptions<S>,
): AsyncGenerator<Snapshot<S>, void> {
  checkKinds(options, LIST_OPTIONS);
  const { nowMs, errorMs } = await serverTime(store);
  const stretches = await stretchesOf(store, options, nowMs);
  const fits = dueFilter(store, options, nowMs);
  const seen = new Set<string>();
  for (const stretch of stretches) {
    // Up to the start only: others may enter a state faster than it is read.
    const to = Math.min(stretch.to, stretch.from + nowMs + errorMs);
    for await (const entity of walk<S>(store, { ...stretch, to }, fits)) {
      if (seen.has(entity.id)) continue;
      seen.add(entity.id);
      yield entity;
    }
  }
  if (options.olderThan !== undefined) return; // Whoever entered a state meanwhile is too young.
  // Whoever entered a listed state meanwhile stands behind the start now. Those that are new do not count.
  const moved = await movedSince(store, stretches, nowMs - errorMs);
  const unseen = moved.filter((id) => !seen.has(id));
  const fitting = (await fits?.(unseen.map((id) => ({ id, score: 0 }))))?.map(({ id }) => id) ?? unseen;
  const missed = fitting.filter((id) => isId(id));
  const states = new Set(stretches.map(({ state }) => state));
  for (let at = 0; at < missed.length; at += PAGE) {
    for (const entity of await getMany<S>(store, missed.slice(at, at + PAGE))) {
      if (entity === null || !states.has(entity.state)) continue;
      if (Date.parse(entity.createdAt) <= nowMs + errorMs) yield entity;
    }
  }
}

async function* walk<S extends string>(
  store: MachineStore,
  stretch: Stretch,
  fits: DueFilter | undefined,
): AsyncGenerator<Snapshot<S>, void> {
  let position: Position | undefined;
  for (;;) {
    const found = await readStretch(store, stretch, position, fits === undefined ? PAGE : LOOK);
    yield* await present<S>(store, stretch, (await fits?.(found)) ?? found);
    position = found.at(-1);
    if (position === undefined) return;
  }
}

/** The entities of some index entries that are still in the stretch's state. */
async function present<S extends string>(
  store: MachineStore,
  stretch: Stretch,
  found: readonly Position[],
): Promise<Snapshot<S>[]> {
  // What can't be an id got there by damage, which fsck tells of.
  const ids = found.map(({ id }) => id).filter((id) => isId(id));
  const entities = await getMany<S>(store, ids);
  return entities.flatMap((entity) => (entity?.state === stretch.state ? [entity] : []));
}

async function stretchesOf(store: MachineStore, options: ListOptions, nowMs: number): Promise<Stretch[]> {
  const { ordinals, definition } = await needMachine(store.connection, store.location, "list");
  const wanted = options.state === undefined ? ordinals : [options.state].flat();
  for (const state of wanted) {
    if (!ordinals.includes(state)) {
      refuse(`unknown state ${shortText(state)} of ${store.location.machine}; it has ${ordinals.join(", ")}`);
    }
  }
  const { olderThan, dueWithin, stuck } = options;
  const untilMs = olderThan === undefined ? undefined : nowMs - durationMs(olderThan);
  const isTimed = (state: string): boolean =>
    Object.hasOwn(definition.states, state) &&
    dueAt(definition.states[state] ?? { event: "" }, 0) !== undefined;
  const mayFit = dueWithin === undefined && stuck !== true ? (): boolean => true : isTimed;
  return ordinals.flatMap((state, ordinal) =>
    wanted.includes(state) && mayFit(state) ? [stretchOf(state, ordinal, untilMs)] : [],
  );
}

/** @throws ContractError with code BADARG where an option is none, or can't be what it is */
function checkKinds(options: ListOptions, known: ReadonlySet<string>): void {
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
