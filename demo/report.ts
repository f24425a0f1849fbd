import type { Failover } from "./cluster.js";
import type { Check } from "./evidence.js";
import type { Task } from "./plan.js";
import type { ReplacedReport } from "./replaced-race.js";
import type { Paint } from "./show.js";
import type { ReplicaTally, Tally } from "./tally.js";

/** Result of the race with latchkey. */
export interface RaceReport {
  readonly ok: boolean;
  readonly agents: number;
  readonly replicas: number;
  /** From the first task to the last end, in ms. */
  readonly durationMs: number;
  /** Changes in the event log: more than the reported wins if the killed replica could not report some. */
  readonly changes: number;
  readonly states: Readonly<Record<string, number>>;
  /** By replica: calls won, leases whose expiry its sweeper recorded, and calls rejected by outcome. */
  readonly calls: Readonly<Record<string, ReplicaTally>>;
  /** The killed replica, the number of agents that it left running, and the length of their leases in ms. */
  readonly killed: { readonly replica: string; readonly agents: number; readonly leaseMs: number };
  /** The killed server and the replica that took its place; absent if no server was killed. */
  readonly failover?: Failover;
  readonly checks: readonly (Check & { readonly ok: boolean })[];
}

/** Result of the demo, as `-o json` prints it. */
export interface Report extends RaceReport {
  /** The server, without credentials. */
  readonly server: string;
  /** Result of the race with the service that latchkey replaces. */
  readonly replaced: ReplacedReport;
}

const FAULTS_SHOWN = 5;

/** Makes the report of a completed race. */
export function makeReport(run: {
  readonly tasks: readonly Task[];
  readonly durationMs: number;
  readonly states: Readonly<Record<string, number>>;
  readonly changes: number;
  readonly tally: Tally;
  readonly killed: RaceReport["killed"];
  readonly failover: Failover | undefined;
  readonly checks: readonly Check[];
}): RaceReport {
  const { tasks, durationMs, states, changes, tally, killed, failover, checks } = run;
  return {
    ok: checks.every(({ faults }) => faults.length === 0),
    agents: tasks.length,
    replicas: tally.replicas.size,
    durationMs: Math.round(durationMs),
    changes,
    states,
    calls: Object.fromEntries(tally.replicas),
    killed,
    ...(failover !== undefined && { failover }),
    checks: checks.map((check) => ({ ...check, ok: check.faults.length === 0 })),
  };
}

/** Renders the checks and the verdict, line by line. */
export function verdictText({ checks, ok }: RaceReport, paint: Paint): string {
  const { bold, dim, green, red } = paint;
  const lines = checks.flatMap(({ ok: holds, text, faults }) => {
    if (holds) return [`${green("✓")} ${text}`];
    const shown = faults.slice(0, FAULTS_SHOWN).map((fault) => dim(`    ${fault}`));
    const more = faults.length - shown.length;
    return [`${red("✗")} ${text}: NO`, ...shown, ...(more > 0 ? [dim(`    and ${more} more`)] : [])];
  });
  const broken = checks.filter((check) => !check.ok).length;
  const verdict = ok
    ? green(bold("All checks passed."))
    : red(bold(`${broken} of ${checks.length} checks failed.`));
  return `\n${lines.join("\n")}\n\n${verdict}\n`;
}
