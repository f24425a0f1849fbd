import type { CompiledState } from "../machine/compiled.js";

/**
 * Computes the time of a state's first timer, in ms of server time; undefined without timers. The scripts compute the
 * same: a timeout and a retention count from entry, a lease from entry or its last renewal since.
 *
 * @param since time of entry into the state
 * @param renewed time of the last lease renewal, in this state or an earlier one; undefined for never
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
