import { type AgentState, agent, type Change, type Entities, type Latchkey } from "latchkey";
import type { DemoCluster, Failover } from "./cluster.js";
import { Control } from "./control.js";
import { Counts } from "./counts.js";
import type { Check, Evidence } from "./evidence.js";
import type { FirstFailure } from "./failure.js";
import { leasedAgent, leaseFor } from "./lease.js";
import type { CallOptions, Credentials } from "./messages.js";
import type { Observer } from "./observer.js";
import type { Task } from "./plan.js";
import type { Recording } from "./recording.js";
import { makeReport, type RaceReport } from "./report.js";
import type { Show } from "./show.js";
import { judge } from "./verdict.js";

/** Everything that a race needs. */
export interface Course {
  readonly credentials: Credentials;
  readonly namespace: string;
  readonly observer: Observer;
  readonly latchkey: Latchkey;
  /** Options of the replicas' calls. */
  readonly calls: CallOptions;
  /** The cluster of which a primary is killed in the middle; undefined if no server is killed. */
  readonly cluster?: DemoCluster | undefined;
  readonly tasks: readonly Task[];
  readonly replicas: readonly string[];
  /** The replica that is killed in the middle of the race. */
  readonly victim: string;
}

/** Steps that undo the set-up, to be run last one first. */
export type Teardown = (() => Promise<unknown>)[];

const LOOK_INTERVAL_MS = 200;
/** Part of the agents that have ended when a primary is killed: before a replica is. */
const FAILOVER_PART = 1 / 4;

/**
 * Races the replicas over all tasks with latchkey, kills one of them on the way, and checks the evidence.
 *
 * @throws DemoFailure if another replica crashes, one reports a failure, or nothing happens any more.
 */
export async function race(
  course: Course,
  teardown: Teardown,
  failure: FirstFailure,
  show: Show,
): Promise<RaceReport> {
  const { latchkey, tasks, replicas, victim, credentials, namespace, observer, calls, cluster } = course;
  const recording = await observer.record();
  teardown.push(async () => recording.stop());
  const { states: known } = agent();
  const isFinal = (state: string): boolean => known[state as AgentState]?.to === undefined;
  let agents: Entities<AgentState> | undefined;
  let failover: Promise<Failover> | undefined;
  const killPrimary = async (from: DemoCluster): Promise<Failover> => {
    show.line("a primary of the cluster is killed");
    const { killed, promoted, tookMs } = await from.killPrimary();
    show.line(
      `${killed} was killed; its replica ${promoted} took over after ${(tookMs / 1000).toFixed(1)} s`,
    );
    return { killed, promoted, tookMs };
  };
  const launched = performance.now();
  const control = new Control(
    { tasks, replicas, victim, isFinal },
    {
      fail: (cause) => failure.report(cause),
      onEnd: () => {
        if (cluster === undefined || failover !== undefined) return;
        if (control.endings.size < tasks.length * FAILOVER_PART) return;
        failover = killPrimary(cluster);
        failover.catch((cause) => failure.report(cause));
      },
      onKill: ({ size }) =>
        show.line(
          `${victim} was killed; its ${size} agent${size === 1 ? " waits" : "s wait"} for ${size === 1 ? "its lease" : "their leases"}`,
        ),
      isEnded: async (id) => isFinal((await agents?.get(id))?.state ?? "failed"),
    },
  );
  teardown.push(() => control.stop());
  control.fleet.start("latchkey", credentials, namespace, calls);
  await failure.orElse(control.ready);
  const leaseMs = leaseFor(performance.now() - launched, cluster !== undefined);
  agents = await latchkey.machine(leasedAgent(leaseMs));
  const watch = new AbortController();
  const operator = operate(agents, tasks, control, watch.signal);
  operator.catch((cause) => failure.report(cause));
  teardown.push(async () => {
    watch.abort();
    await operator.catch(() => {});
  });
  control.fleet.begin(leaseMs);
  show.line(
    `${replicas.length} replicas are connected, each a process (pids ${control.fleet.pids.join(", ")})`,
  );

  const started = performance.now();
  const counts = new Counts(agents);
  const look = (): void => {
    const elapsedMs = performance.now() - started;
    const killed = control.orphans.size > 0 ? victim : undefined;
    show.progress({ agents: tasks.length, elapsedMs, tally: control.tally, killed, states: counts.last });
  };
  await failure.orElse(counts.read());
  look();
  const looking = setInterval(() => {
    // During a failover the count takes long, and the show goes on with the previous one.
    counts.read().catch((cause) => failure.report(cause));
    look();
  }, LOOK_INTERVAL_MS);
  teardown.push(async () => clearInterval(looking));
  await failure.orElse(control.run());
  const durationMs = performance.now() - started;
  clearInterval(looking);
  await failure.orElse(Promise.resolve(failover));
  await failure.orElse(counts.read());
  look();

  const left = await control.stop();
  const evidence = await failure.orElse(gather(course, control, agents, leaseMs, recording));
  const recovered = [...new Set(evidence.expiries.map(({ replica }) => replica))].sort();
  show.line(`recovered by ${recovered.join(" and ") || "nobody"}`);
  return makeReport({
    tasks,
    durationMs,
    states: await agents.count(),
    changes: evidence.log.length,
    tally: control.tally,
    killed: { replica: victim, agents: control.orphans.size, leaseMs },
    failover: await failover,
    checks: [...judge(evidence), nothingLeft(control, left)],
  });
}

/** Follows the event log, and orders to kill the chosen agents as soon as they run. */
async function operate(
  agents: Entities<AgentState>,
  tasks: readonly Task[],
  control: Control,
  signal: AbortSignal,
): Promise<void> {
  const reasons = new Map(tasks.map(({ id, killReason }) => [id, killReason]));
  for await (const { id, state } of agents.events({ after: "start", signal })) {
    const reason = reasons.get(id);
    if (state === "running" && reason !== undefined) control.orderKill(id, reason);
  }
}

/** Reads the final state from the server, by ways that no replica used. */
async function gather(
  { tasks, replicas, victim, observer, cluster }: Course,
  control: Control,
  agents: Entities<AgentState>,
  leaseMs: number,
  recording: Recording,
): Promise<Evidence> {
  const exposed = cluster === undefined ? [] : await observer.readLog(cluster.victimSlots);
  await recording.settle();
  const finals = tasks.map(async ({ id }) => [id, await agents.get(id)] as const);
  return {
    machine: agents.definition,
    replicas,
    killed: victim,
    orphans: control.orphans,
    leaseMs,
    calls: control.tally.calls,
    expiries: control.tally.expiries,
    endings: control.endings,
    log: await observer.readLog(),
    published: [...recording.texts],
    exposed: new Set(exposed.map((text) => (JSON.parse(text) as Change).id)),
    finals: new Map(await Promise.all(finals)),
    counts: await agents.count(),
  };
}

function nothingLeft({ endings, orphans, tally }: Control, left: readonly string[]): Check {
  return {
    name: "nothing-left",
    text: `no process is left of ${endings.size + orphans.size} agents and ${tally.replicas.size} replicas`,
    faults: left.map((replica) => `${replica}, or an agent of it, did not end by itself`),
  };
}
