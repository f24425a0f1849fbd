import { type AgentState, agent, type Machine } from "latchkey";

const SHORTEST_MS = 1_000;
const LONGEST_MS = 10_000;
/** Time without a server that a healthy holder survives: that of a failover, on a busy machine too. */
const FAILOVER_MS = 8_000;
/** Ratio of the lease to the time that the replicas took to start. */
const SLOWNESS = 2;

/**
 * Chooses the length of a lease on this machine, in ms. It is short, because the race waits for the end of a lease. It is
 * longer on a slow or busy machine, so that a healthy holder keeps its lease.
 *
 * @param startMs time that the replicas' processes took to start and to connect, in ms
 * @param hasFailover true if a server is killed during the race
 */
export function leaseFor(startMs: number, hasFailover: boolean): number {
  const ms = Math.min(Math.max(startMs * SLOWNESS, SHORTEST_MS), LONGEST_MS);
  return Math.round(ms / 100) * 100 + (hasFailover ? FAILOVER_MS : 0);
}

/** Returns the built-in machine with a lease on running agents. */
export function leasedAgent(leaseMs: number): Machine<AgentState, "agent"> {
  return agent({ version: 2, lease: leaseMs });
}
