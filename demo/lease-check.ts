import type { Change } from "latchkey";
import { type Check, type Evidence, type Histories, isBySweeper } from "./evidence.js";

/**
 * Checks that the agents of the killed replica were recorded as failed when their leases expired, each once, by the
 * sweeper of another replica, and not earlier. No other lease expired.
 */
export function leasesExpired(evidence: Evidence, { byId }: Histories): Check {
  const { orphans, expiries, killed, leaseMs } = evidence;
  const faults = [...orphans].flatMap((id) => faultsOf(id, byId.get(id) ?? [], leaseMs));
  for (const { replica, id } of expiries) {
    if (replica === killed && orphans.has(id)) faults.push(`${id} was recorded by ${killed} itself`);
  }
  for (const [id, history] of byId) {
    const end = history.find(isBySweeper);
    if (orphans.has(id) || end === undefined) continue;
    faults.push(`${id} lost its lease although its replica lived: this machine is too busy (${end.reason})`);
  }
  const agents = orphans.size === 1 ? "agent was" : "agents were";
  const text = `${killed} killed: its ${orphans.size} ${agents} recorded as failed by lease, each once`;
  return { name: "leases", text, faults };
}

function faultsOf(id: string, history: readonly Change[], leaseMs: number): string[] {
  const [end, ...more] = history.filter(isBySweeper);
  if (end === undefined) return [`${id} was left running, and its lease did not expire`];
  if (more.length > 0) return [`${id} was recorded as expired ${more.length + 1} times`];
  const { state, reason = "" } = end;
  if (state !== "failed" || !reason.startsWith("lease of ")) return [`${id} is ${state}: ${reason}`];
  const leftMs =
    Date.parse(end.timestamp) - leaseMs - Date.parse(history[history.indexOf(end) - 1]?.timestamp ?? "");
  if (!(leftMs >= 0)) return [`${id} was recorded as failed before its lease of ${leaseMs} ms had expired`];
  return [];
}
