import type { CompiledState } from "../../machine/compiled.js";
import { durationText } from "../../machine/duration.js";
import { isoOf, type ModelEntity } from "./entity.js";

/** The times at which the timers of an entity end, in ms. */
export interface Ends {
  /** End of the timeout or of the retention. */
  readonly fixedMs: number | undefined;
  readonly leaseMs: number | undefined;
  /** The time from which the lease counts now: another one than before if its holder could not know of it. */
  readonly renewedMs: number;
}

/** Returns the earliest time; undefined without any. */
export function first(...times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** Returns the time at which the first timer of a state that is entered at `nowMs` fires. */
export function firstDue({ timeout, lease, retain }: CompiledState, nowMs: number): number | undefined {
  const length = first(timeout?.after, lease?.for, retain);
  return length === undefined ? undefined : nowMs + length;
}

/**
 * Computes when the timers of an entity end. A holder may rely on the end of its lease that it knows, which an older
 * version of the machine may have set, so that never moves closer.
 *
 * @param isDatedAhead true if the times of the entity were wrong: then no known end counts
 * @param timeMs server time
 * @param nowMs time of the call
 */
export function endsOf(
  spec: CompiledState,
  entity: ModelEntity,
  isDatedAhead: boolean,
  timeMs: number,
  nowMs: number,
): Ends {
  const { timeout, lease, retain } = spec;
  const { enteredMs, renewedMs, dueMs } = entity;
  const fixedMs = first(
    timeout && enteredMs + timeout.after,
    retain === undefined ? undefined : enteredMs + retain,
  );
  if (lease === undefined) return { fixedMs, leaseMs: undefined, renewedMs };
  const own = (renewedMs || enteredMs) + lease.for;
  if (isDatedAhead) return { fixedMs, leaseMs: own, renewedMs };
  if (dueMs !== undefined && dueMs > timeMs) return { fixedMs, leaseMs: Math.max(dueMs, own), renewedMs };
  // The known end has passed and was the end of this lease, or the lease is longer.
  if (dueMs !== undefined && (dueMs === own || own > timeMs)) return { fixedMs, leaseMs: own, renewedMs };
  return { fixedMs, leaseMs: nowMs + lease.for, renewedMs: nowMs };
}

/** A timer that has expired: what it does, and the reason in the history. `to` is undefined for a retention. */
export interface FiredTimer {
  readonly to: string | undefined;
  readonly set: ReadonlyMap<string, string>;
  readonly reason: string;
}

/** Describes the timer that fires first. @param dueMs the time of its end */
export function firedTimer(spec: CompiledState, entity: ModelEntity, ends: Ends, dueMs: number): FiredTimer {
  const { timeout, lease, retain = 0 } = spec;
  const { state, enteredMs, renewedMs } = entity;
  const since = `${state} since ${isoOf(enteredMs)}`;
  const reason = (what: string, ms: number, start: string): string =>
    `${what} of ${durationText(ms)} expired at ${isoOf(dueMs)}, ${start}`;
  if (timeout !== undefined && ends.fixedMs === dueMs)
    return { to: timeout.to, set: setOf(timeout), reason: reason("timeout", timeout.after, since) };
  if (lease === undefined)
    return { to: undefined, set: new Map(), reason: reason("retention", retain, since) };
  const start =
    renewedMs > 0 ? `last renewed at ${isoOf(renewedMs)}` : `never renewed since ${isoOf(enteredMs)}`;
  return { to: lease.to, set: setOf(lease), reason: reason("lease", lease.for, start) };
}

function setOf({ set = {} }: { readonly set?: Readonly<Record<string, string>> }): Map<string, string> {
  return new Map(Object.entries(set));
}
