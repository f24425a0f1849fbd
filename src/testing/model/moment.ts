import type { ModelEntity } from "./entity.js";

/** An entity whose times are further ahead of the clock was dated by a wrong clock. */
export const MOST_AHEAD_MS = 60_000;

/** The entity that a call finds, and the time of the call. */
export interface Moment {
  readonly entity: ModelEntity | undefined;
  /** Time of the call in ms: never before the last change or heartbeat of the entity, unless a wrong clock dated it. */
  readonly nowMs: number;
  /** True if a wrong clock dated the entity. `entity` has the corrected times. */
  readonly isAhead: boolean;
}

/** Reads the clock for an entity. @param timeMs server time */
export function momentOf(entity: ModelEntity | undefined, timeMs: number): Moment {
  if (entity === undefined) return { entity, nowMs: timeMs, isAhead: false };
  const { changedMs, enteredMs, renewedMs } = entity;
  const latest = Math.max(changedMs, renewedMs);
  if (latest <= timeMs + MOST_AHEAD_MS) return { entity, nowMs: Math.max(timeMs, latest), isAhead: false };
  const corrected = {
    changedMs: Math.min(changedMs, timeMs),
    enteredMs: Math.min(enteredMs, timeMs),
    renewedMs: Math.min(renewedMs, timeMs),
  };
  return { entity: { ...entity, ...corrected }, nowMs: timeMs, isAhead: true };
}
