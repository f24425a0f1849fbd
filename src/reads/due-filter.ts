import { type Duration, durationMs } from "../machine/duration.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { dueOf } from "./due.js";
import type { Position } from "./position.js";

/**
 * Which entities to list by their deadlines: of their timeout, their lease or their retention, the first of them.
 * Either option looks through the index of all states with a timer, however few entities fit.
 */
export interface DueOptions {
  /** Only those whose deadline is at most this far ahead, or over. */
  readonly dueWithin?: Duration;
  /** Only those whose deadline is over, so that no sweep has come to them yet or none could, or that lack theirs. */
  readonly stuck?: boolean;
}

/** Keeps those entries of the index that fit. */
export type DueFilter = (found: readonly Position[]) => Promise<Position[]>;

/** What keeps the entities that fit at `nowMs` (server time); undefined where nothing is asked of deadlines. */
export function dueFilter(
  store: MachineStore,
  { dueWithin, stuck = false }: DueOptions,
  nowMs: number,
): DueFilter | undefined {
  if (dueWithin === undefined && !stuck) return undefined;
  const until = nowMs + (dueWithin === undefined ? Number.POSITIVE_INFINITY : durationMs(dueWithin));
  return async (found) => {
    const due = await dueOf(
      store,
      found.map(({ id }) => id),
    );
    return found.filter((_, at) => {
      const end = due[at] ?? null;
      if (stuck && end !== null && end > nowMs) return false;
      return dueWithin === undefined || (end !== null && end <= until);
    });
  };
}
