import { type AgentState, agent, type Machine } from "latchkey";

const SHORTEST_MS = 1_000;
const LONGEST_MS = 10_000;
/** Ratio of the lease to the time that the replicas took to start. */
const SLOWNESS = 2;

/**
 * Chooses the length of a lease on this machine, in ms. It is short, because the race waits for the end of a lease. It is
 * longer on a slow or busy machine, so that a healthy holder keeps its lease.
 *
 * @param startMs time that the replicas' processes took to start and to connect, in ms
 */
export function leaseFor(startMs: number): number {
  return Math.round(Math.min(Math.max(startMs * SLOWNESS, SHORTEST_MS), LONGEST_MS) / 100) * 100;
}

/** Returns the built-in machine with a lease on running agents. */
export function leasedAgent(leaseMs: number): Machine<AgentState, "agent"> {
  return agent({ version: 2, lease: leaseMs });
}
