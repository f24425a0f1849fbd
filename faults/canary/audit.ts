import type { Valkey } from "iovalkey";
import { FARTHEST_AHEAD_MS } from "../check/witness/log.js";
import { Violation } from "../fault.js";
import type { CanaryCall } from "./canary.js";

/** Counts what happened to a canary's changes. */
export interface Audit {
  readonly acknowledged: number;
  /** Acknowledged changes that were applied but not durable. */
  readonly notDurable: number;
  /** Changes that were not durable and that the server has at another version. */
  readonly reapplied: number;
  /** Acknowledged changes that the server does not have. */
  readonly lost: number;
  /** Time from the acknowledgement of the oldest lost change to the fault, in ms; 0 if none was lost. */
  readonly oldestLostMs: number;
  /** Time from the first to the last acknowledgement of a lost change, in ms. */
  readonly lostSpanMs: number;
  /** Lost changes that one replica had acknowledged, and those that two had. */
  readonly lostByOneReplica: number;
  readonly lostByTwoReplicas: number;
  readonly unknown: number;
  /** Unknown changes that were applied. */
  readonly unknownApplied: number;
  readonly notExecuted: number;
  readonly rejected: number;
  /** Changes that the server has. */
  readonly kept: number;
}

interface Change {
  readonly id: string;
  readonly op: string;
  readonly version: number;
  readonly state: string;
  readonly timestamp: string;
}

const PAGE = 1000;

/**
 * Compares a server with what a canary recorded. Changes may be lost, but the rest must be consistent.
 *
 * @param faultAt begin of the fault, on the clock of `performance.now()`
 * @throws Violation if a change is incomplete, duplicated, out of order, or was reported as not applied
 */
export async function audit(
  admin: Valkey,
  canary: { readonly namespace: string; readonly calls: readonly CanaryCall[] },
  faultAt: number,
): Promise<Audit> {
  const prefix = `{${canary.namespace}:0}:agent:`;
  const changes = await readEvents(admin, `${prefix}events`);
  const problems = [...logProblems(changes), ...(await stateProblems(admin, prefix, changes))];
  const applied = new Map(changes.map((change) => [change.op, change]));
  const lost: CanaryCall[] = [];
  let reapplied = 0;
  for (const call of canary.calls) {
    const change = applied.get(call.op);
    if (call.outcome === "OK" || call.outcome === "NOTDURABLE") {
      if (change === undefined) lost.push(call);
      // It was lost with its server, and applied again where its replicas were then awaited.
      else if (change.version !== call.version && call.outcome === "NOTDURABLE") reapplied += 1;
      else if (change.version !== call.version) {
        problems.push(`${call.op} made version ${change.version}, but its caller received ${call.version}`);
      }
    } else if (change !== undefined && call.outcome !== "UNKNOWN") {
      problems.push(`${call.op} was applied, but its caller received ${call.outcome}`);
    }
    if (change !== undefined && call.notAfter !== undefined && Date.parse(change.timestamp) > call.notAfter) {
      problems.push(
        `${call.op} was applied at ${change.timestamp}, after its deadline ${new Date(call.notAfter).toISOString()}`,
      );
    }
  }
  if (problems.length > 0) {
    throw new Violation(`${problems.length} in ${canary.namespace}: ${problems.slice(0, 5).join("; ")}`);
  }
  const [first, last] = lost.reduce(
    ([low, high], { at }) => [Math.min(low, at), Math.max(high, at)],
    [Number.POSITIVE_INFINITY, 0],
  );
  const of = (outcome: CanaryCall["outcome"]) => canary.calls.filter((call) => call.outcome === outcome);
  return {
    acknowledged: of("OK").length + of("NOTDURABLE").length,
    notDurable: of("NOTDURABLE").length,
    reapplied,
    lost: lost.length,
    oldestLostMs: Math.max(0, Math.round(faultAt - first)),
    lostSpanMs: Math.max(0, Math.round(last - first)),
    lostByOneReplica: lost.filter(({ replicas }) => replicas === 1).length,
    lostByTwoReplicas: lost.filter(({ replicas }) => replicas === 2).length,
    unknown: of("UNKNOWN").length,
    unknownApplied: of("UNKNOWN").filter(({ op }) => applied.has(op)).length,
    notExecuted: of("NOTEXECUTED").length,
    rejected: of("REJECTED").length,
    kept: changes.length,
  };
}

/** Reads all changes of a stream, oldest first. */
async function readEvents(admin: Valkey, key: string): Promise<Change[]> {
  const changes: Change[] = [];
  for (let from = "-"; ; ) {
    const page = await admin.xrange(key, from, "+", "COUNT", PAGE);
    changes.push(...page.map(([, [, document]]) => JSON.parse(String(document)) as Change));
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return changes;
    from = `(${last[0]}`;
  }
}

/** Checks that versions count up from 1, keys are unique, and timestamps do not decrease, unless a clock was corrected. */
function logProblems(changes: readonly Change[]): string[] {
  const problems: string[] = [];
  const last = new Map<string, Change>();
  const ops = new Set<string>();
  for (const change of changes) {
    const { id, op, version, timestamp } = change;
    const before = last.get(id);
    if (version !== (before?.version ?? 0) + 1) {
      problems.push(`version ${version} of ${id} follows ${before?.version ?? "nothing"}`);
    }
    const backMs = before === undefined ? 0 : Date.parse(before.timestamp) - Date.parse(timestamp);
    if (backMs > 0 && backMs <= FARTHEST_AHEAD_MS) problems.push(`timestamps of ${id} decrease`);
    if (ops.has(op)) problems.push(`${op} was applied twice`);
    ops.add(op);
    last.set(id, change);
  }
  return problems;
}

/** Checks that each entity, its index entry and its log agree with its last change. */
async function stateProblems(admin: Valkey, prefix: string, changes: readonly Change[]): Promise<string[]> {
  const problems: string[] = [];
  const last = new Map(changes.map((change) => [change.id, change]));
  const members = await admin.zrange(`${prefix}index`, 0, -1);
  if (members.length !== last.size || members.some((id) => !last.has(id))) {
    problems.push(`the index has ${members.length} entities, the event log has ${last.size}`);
  }
  const ids = [...last.keys()];
  for (let at = 0; at < ids.length; at += PAGE) {
    const page = ids.slice(at, at + PAGE);
    const pipeline = admin.pipeline();
    for (const id of page)
      pipeline.hmget(`${prefix}id:${id}`, "state", "version").lindex(`${prefix}log:${id}`, -2);
    const replies = (await pipeline.exec()) ?? [];
    for (const [which, id] of page.entries()) {
      const change = last.get(id);
      const [state, version] = (replies[2 * which]?.[1] ?? []) as (string | null)[];
      if (change === undefined || state !== change.state || version !== String(change.version)) {
        problems.push(
          `${id} is ${state} at ${version}, its last change made it ${change?.state} at ${change?.version}`,
        );
      }
      const logged = replies[2 * which + 1]?.[1];
      if (typeof logged !== "string" || !logged.includes(`"version":${change?.version},`)) {
        problems.push(`the log of ${id} does not end with its last change`);
      }
    }
  }
  return problems;
}
