import type { Valkey } from "iovalkey";
import { Violation } from "../fault.js";
import type { CanaryCall } from "./canary.js";

/** What became of a canary's changes. */
export interface Audit {
  readonly acknowledged: number;
  /** Of those, what was told to be applied, and not to be durable. */
  readonly notDurable: number;
  /** And of those, what is there at another version than was told. */
  readonly remade: number;
  /** Acknowledged changes that the server does not have. */
  readonly lost: number;
  /** How long before the fault markBegin the oldest of them was acknowledged, in ms; 0 where none was. */
  readonly oldestLostMs: number;
  /** From the first of them that was acknowledged to the last, in ms. */
  readonly lostSpanMs: number;
  /** Of what is lost, what one replica had acknowledged, and what all of two had. */
  readonly lostByOneReplica: number;
  readonly lostByTwoReplicas: number;
  readonly unknown: number;
  /** Of those, how many were done. */
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
 * Holds what a server has now against what a canary was told: whatever was lost, what is left must be whole.
 *
 * @param faultAt when the fault markBegin, on the clock of `performance.now()`
 * @throws Violation when a change is there in part, twice, out of order, or although it was told not to be.
 */
export async function audit(
  admin: Valkey,
  canary: { readonly namespace: string; readonly calls: readonly CanaryCall[] },
  faultAt: number,
): Promise<Audit> {
  const prefix = `{${canary.namespace}:0}:agent:`;
  const changes = await readEvents(admin, `${prefix}events`);
  const problems = [...wholeness(changes), ...(await hashProblems(admin, prefix, changes))];
  const done = new Map(changes.map((change) => [change.op, change]));
  const lost: CanaryCall[] = [];
  let remade = 0;
  for (const call of canary.calls) {
    const change = done.get(call.op);
    if (call.outcome === "OK" || call.outcome === "NOTDURABLE") {
      if (change === undefined) lost.push(call);
      // Lost with its server after it was told of, and made again there where its copies were then asked for.
      else if (change.version !== call.version && call.outcome === "NOTDURABLE") remade += 1;
      else if (change.version !== call.version) {
        problems.push(`${call.op} made version ${change.version}, its caller was told ${call.version}`);
      }
    } else if (change !== undefined && call.outcome !== "UNKNOWN") {
      problems.push(`${call.op} was done, its caller was told ${call.outcome}`);
    }
    if (change !== undefined && call.notAfter !== undefined && Date.parse(change.timestamp) > call.notAfter) {
      problems.push(
        `${call.op} was done at ${change.timestamp}, its deadline was ${new Date(call.notAfter).toISOString()}`,
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
    remade,
    lost: lost.length,
    oldestLostMs: Math.max(0, Math.round(faultAt - first)),
    lostSpanMs: Math.max(0, Math.round(last - first)),
    lostByOneReplica: lost.filter(({ replicas }) => replicas === 1).length,
    lostByTwoReplicas: lost.filter(({ replicas }) => replicas === 2).length,
    unknown: of("UNKNOWN").length,
    unknownApplied: of("UNKNOWN").filter(({ op }) => done.has(op)).length,
    notExecuted: of("NOTEXECUTED").length,
    rejected: of("REJECTED").length,
    kept: changes.length,
  };
}

/** All changes in a stream, oldest first. */
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

/** Versions from 1 on without a gap, no op twice, stamps that never go back. */
function wholeness(changes: readonly Change[]): string[] {
  const problems: string[] = [];
  const last = new Map<string, Change>();
  const ops = new Set<string>();
  for (const change of changes) {
    const { id, op, version, timestamp } = change;
    const before = last.get(id);
    if (version !== (before?.version ?? 0) + 1) {
      problems.push(`version ${version} of ${id} follows ${before?.version ?? "nothing"}`);
    }
    if (before !== undefined && timestamp < before.timestamp) problems.push(`stamps of ${id} go back`);
    if (ops.has(op)) problems.push(`${op} was done twice`);
    ops.add(op);
    last.set(id, change);
  }
  return problems;
}

/** Each entity, its place in the index and its log are what its last change says. */
async function hashProblems(admin: Valkey, prefix: string, changes: readonly Change[]): Promise<string[]> {
  const problems: string[] = [];
  const last = new Map(changes.map((change) => [change.id, change]));
  const members = await admin.zrange(`${prefix}index`, 0, -1);
  if (members.length !== last.size || members.some((id) => !last.has(id))) {
    problems.push(`the index has ${members.length} entities, the events tell of ${last.size}`);
  }
  const ids = [...last.keys()];
  for (let at = 0; at < ids.length; at += PAGE) {
    const page = ids.slice(at, at + PAGE);
    const pipeline = admin.pipeline();
    for (const id of page)
      pipeline.hmget(`${prefix}id:${id}`, "state", "version").lindex(`${prefix}log:${id}`, -1);
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
      if (typeof logged !== "string" || JSON.parse(logged).version !== change?.version) {
        problems.push(`the log of ${id} does not end with its last change`);
      }
    }
  }
  return problems;
}
