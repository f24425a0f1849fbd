import type { CompiledState } from "../machine/compiled.js";

/**
 * When the first timer of a state ends, in ms of server time; undefined where it has none. The scripts reckon the same:
 * a timeout and a retention count from entry, a lease from entry or from its last renewal since.
 *
 * @param since when the state was entered
 * @param renewed when a lease was last renewed, in this state or in one before; undefined for never
 */
export function dueAt(state: CompiledState, since: number, renewed?: number): number | undefined {
  const { timeout, lease, retain } = state;
  const ends = [
    ...(timeout === undefined ? [] : [since + timeout.after]),
    ...(lease === undefined ? [] : [Math.max(since, renewed ?? 0) + lease.for]),
    ...(retain === undefined ? [] : [since + retain]),
  ];
  return ends.length === 0 ? undefined : Math.min(...ends);
}
