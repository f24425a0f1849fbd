import { performance, WallClock } from "../valkey/real-time.js";

/** A time by both clocks of this process. */
export interface Moment {
  /** By the monotonic clock, in ms. It may stand still while the host is suspended. */
  readonly at: number;
  /** Lead of the wall clock, in ms. It grows while the host is suspended. */
  readonly lead: number;
}

/** Lead in ms that the two readings of the clocks can explain. */
const TOLERANCE_MS = 250;

/** Reads both clocks. */
export function now(): Moment {
  const at = performance.now();
  return { at, lead: WallClock.now() - at };
}

/** Returns true if the host may have been suspended between two moments. A wall clock that was set looks the same. */
export function isApart(a: Moment, b: Moment): boolean {
  return Math.abs(a.lead - b.lead) > TOLERANCE_MS;
}
