import type { Change } from "../../contract/document.js";
import { durationText } from "../../machine/duration.js";
import { type Check, type Evidence, type Histories, isBySweep } from "./evidence.js";

/**
 * The agents that the killed replica left behind were recorded as failed when their leases ran out, each once, by the
 * sweep of a replica that lived, and not before. Nobody else's lease ran out.
 */
export function leasesRanOut(evidence: Evidence, { byId }: Histories): Check {
  const { orphans, ranOut, killed, leaseMs } = evidence;
  const faults = [...orphans].flatMap((id) => faultsOf(id, byId.get(id) ?? [], leaseMs));
  for (const { replica, id } of ranOut) {
    if (replica === killed && orphans.has(id)) faults.push(`${id} was recorded by ${killed} itself`);
  }
  for (const [id, history] of byId) {
    const end = history.find(isBySweep);
    if (orphans.has(id) || end === undefined) continue;
    faults.push(`${id} lost its lease, and its replica lived: this machine is too busy (${end.reason})`);
  }
  const agents = orphans.size === 1 ? "agent was" : "agents were";
  const text = `${killed} killed: its ${orphans.size} ${agents} recorded as failed by lease, each once`;
  return { name: "leases", text, faults };
}

function faultsOf(id: string, history: readonly Change[], leaseMs: number): string[] {
  const [end, ...more] = history.filter(isBySweep);
  if (end === undefined) return [`${id} was left behind, and no lease of it ran out`];
  if (more.length > 0) return [`${id} was recorded as run out ${more.length + 1} times`];
  const { state, reason = "" } = end;
  if (state !== "failed" || !reason.startsWith("lease of ")) return [`${id} is ${state}: ${reason}`];
  const leftMs =
    Date.parse(end.timestamp) - leaseMs - Date.parse(history[history.indexOf(end) - 1]?.timestamp ?? "");
  if (!(leftMs >= 0))
    return [`${id} was recorded as failed before its lease of ${durationText(leaseMs)} was over`];
  return [];
}
