import type { Check } from "./evidence.js";
import type { Task } from "./plan.js";
import type { ReplicaTally, Tally } from "./tally.js";

/** What a run came to, as `-o json` prints it. */
export interface Report {
  readonly ok: boolean;
  readonly agents: number;
  readonly replicas: number;
  /** The server, without credentials. */
  readonly server: string;
  /** From the first task to the last end, in ms. */
  readonly durationMs: number;
  /** As logged: the killed replica may have made some that it could not tell any more. */
  readonly changes: number;
  readonly changesPerSecond: number;
  readonly latencyMs: { readonly p50: number; readonly p99: number };
  readonly states: Readonly<Record<string, number>>;
  /** By replica: calls won, leases whose end its sweep recorded, and calls refused by outcome. */
  readonly calls: Readonly<Record<string, ReplicaTally>>;
  /** The replica that was killed, how many agents it left, and how long their leases were, in ms. */
  readonly killed: { readonly replica: string; readonly agents: number; readonly leaseMs: number };
  readonly checks: readonly (Check & { readonly ok: boolean })[];
}

/** Draws up the report of a run that came to its end. */
export function makeReport(run: {
  readonly tasks: readonly Task[];
  readonly server: string;
  readonly durationMs: number;
  readonly states: Readonly<Record<string, number>>;
  readonly changes: number;
  readonly tally: Tally;
  readonly killed: Report["killed"];
  readonly checks: readonly Check[];
}): Report {
  const { tasks, server, durationMs, states, changes, tally, killed, checks } = run;
  const { p50, p99 } = tally.latency();
  return {
    ok: checks.every(({ faults }) => faults.length === 0),
    agents: tasks.length,
    replicas: tally.replicas.size,
    server,
    durationMs: Math.round(durationMs),
    changes,
    changesPerSecond: Math.round((changes / durationMs) * 1000),
    latencyMs: { p50: hundredths(p50), p99: hundredths(p99) },
    states,
    calls: Object.fromEntries(tally.replicas),
    killed,
    checks: checks.map((check) => ({ ...check, ok: check.faults.length === 0 })),
  };
}

function hundredths(ms: number): number {
  return Math.round(ms * 100) / 100;
}
