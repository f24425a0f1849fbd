import { type AgentState, agent } from "latchkey";
import type { Machine } from "latchkey";

const SHORTEST_MS = 1_000;
const LONGEST_MS = 10_000;
/** A lease is this many times as long as the replicas took to start. */
const SLOWNESS = 2;

/**
 * How long a lease is to be on this machine, in ms. The race waits for the end of a lease, so it is short; yet a
 * machine that is slow, or busy with other work, must not take a living holder for a dead one.
 *
 * @param startMs how long it took the replicas' processes to start and to connect
 */
export function leaseFor(startMs: number): number {
  return Math.round(Math.min(Math.max(startMs * SLOWNESS, SHORTEST_MS), LONGEST_MS) / 100) * 100;
}

/** The built-in machine, with a lease on running agents. */
export function leasedAgent(leaseMs: number): Machine<AgentState, "agent"> {
  return agent({ version: 2, lease: leaseMs });
}
