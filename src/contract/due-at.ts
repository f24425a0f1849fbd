import type { CompiledState } from "../machine/compiled.js";

/**
 * Computes the time of a state's first timer, in ms of server time; undefined without timers. The scripts compute the
 * same: a timeout and a retention count from entry, a lease from the last heartbeat in the state, or from entry.
 *
 * @param since time of entry into the state
 * @param renewed time of the last heartbeat in this state; 0 for none
 */
export function dueAt(state: CompiledState, since: number, renewed = 0): number | undefined {
  const { timeout, lease, retain } = state;
  const ends = [
    ...(timeout === undefined ? [] : [since + timeout.after]),
    ...(lease === undefined ? [] : [(renewed || since) + lease.for]),
    ...(retain === undefined ? [] : [since + retain]),
  ];
  return ends.length === 0 ? undefined : Math.min(...ends);
}
