import type { Entities } from "../../entities.js";
import type { Latchkey } from "../../latchkey.js";
import { type AgentState, agent } from "../../machine/agent.js";
import type { Connection } from "../../valkey/connection.js";
import type { MachineLocation } from "../../valkey/keys.js";
import { collect } from "./collect.js";
import { Control } from "./control.js";
import type { Check, Evidence } from "./evidence.js";
import type { Trouble } from "./failure.js";
import { leasedAgent, leaseFor } from "./lease.js";
import type { Credentials } from "./messages.js";
import type { Task } from "./plan.js";
import { type Recording, record } from "./recorder.js";
import { makeReport, type Report } from "./report.js";
import type { Tally } from "./tally.js";
import { judge } from "./verdict.js";

/** What a race is run on. */
export interface Course {
  readonly credentials: Credentials;
  readonly place: MachineLocation;
  /** A connection of its own, to watch. */
  readonly observer: Connection;
  readonly latchkey: Latchkey;
  readonly tasks: readonly Task[];
  readonly replicas: readonly string[];
  /** The one of them that is killed in the middle of the race. */
  readonly doomed: string;
}

/** Who watches the race. */
export interface Watcher {
  /** Something has begun, in a line. */
  phase(line: string): void;
  /** Something to know about, in a line. */
  warn(line: string): void;
  /** How the race stands: at the start, a few times a second and at the end. */
  progress(standing: Standing): void;
}

/** How the race stands. */
export interface Standing {
  readonly agents: number;
  /** The server, without credentials. */
  readonly server: string;
  readonly elapsedMs: number;
  readonly states: Readonly<Record<string, number>>;
  readonly tally: Tally;
  /** The replica that was killed; undefined while it lives. */
  readonly killed: string | undefined;
}

/** What is to be taken down at the end, last one first. */
export type TakeDown = (() => Promise<unknown>)[];

const LOOK_EVERY_MS = 200;

/**
 * Lets the replicas race over all tasks, kills one of them on the way, and judges what was seen of it.
 *
 * @throws DemoFailure when another replica dies, one reports trouble, or nothing moves any more.
 */
export async function race(
  course: Course,
  takeDown: TakeDown,
  trouble: Trouble,
  watcher: Watcher,
): Promise<Report> {
  const { latchkey, tasks, replicas, doomed, credentials, place } = course;
  const recording = await record(course.observer, place);
  takeDown.push(async () => recording.stop());
  const table = agent().states;
  const isFinal = (state: string): boolean => table[state as AgentState]?.to === undefined;
  const launched = performance.now();
  const control = new Control(tasks, replicas, doomed, isFinal, (cause) => trouble.meet(cause));
  takeDown.push(() => control.stop());
  control.fleet.start(credentials, place.namespace);
  await trouble.orElse(control.ready);
  const leaseMs = leaseFor(performance.now() - launched);
  const agents = await latchkey.machine(leasedAgent(leaseMs));
  const operator = await operate(agents, tasks, control);
  takeDown.push(() => operator.close());
  control.fleet.begin(leaseMs);
  const pids = control.fleet.pids.join(", ");
  watcher.phase(`${replicas.length} replicas are connected, each a process of its own (pids ${pids})`);
  watcher.phase(`${doomed} will be killed in the middle; the lease of an agent is ${leaseMs / 1000} s`);

  const started = performance.now();
  const look = async (): Promise<void> => {
    const elapsedMs = performance.now() - started;
    const standing = {
      agents: tasks.length,
      server: course.observer.address,
      elapsedMs,
      tally: control.tally,
      killed: control.isKilled ? doomed : undefined,
    };
    watcher.progress({ ...standing, states: await agents.count() });
  };
  await trouble.orElse(look());
  const looking = setInterval(() => look().catch((cause) => trouble.meet(cause)), LOOK_EVERY_MS);
  takeDown.push(async () => clearInterval(looking));
  const isEnded = async (id: string): Promise<boolean> => {
    const now = await agents.get(id);
    return now === null || isFinal(now.state);
  };
  await trouble.orElse(control.run(isEnded));
  const durationMs = performance.now() - started;
  clearInterval(looking);
  await trouble.orElse(look());

  const left = await control.stop();
  const evidence = await trouble.orElse(gather(course, control, agents, leaseMs, recording));
  const checks = [...judge(evidence), nothingLeft(control, left)];
  const states = await agents.count();
  return makeReport({
    tasks,
    server: course.observer.address,
    durationMs,
    states,
    changes: evidence.log.length,
    tally: control.tally,
    killed: { replica: doomed, agents: control.orphans.size, leaseMs },
    checks,
  });
}

/** The operator follows what is published, and has those killed that are to be killed as soon as they run. */
async function operate(agents: Entities<AgentState>, tasks: readonly Task[], control: Control) {
  const reasons = new Map(tasks.map(({ id, killReason }) => [id, killReason]));
  return agents.subscribe(({ id, state }) => {
    const reason = reasons.get(id);
    if (state === "running" && reason !== undefined) control.announce({ kind: "kill-ordered", id, reason });
  });
}

async function gather(
  course: Course,
  control: Control,
  agents: Entities<AgentState>,
  leaseMs: number,
  recording: Recording,
): Promise<Evidence> {
  const { tasks, replicas, doomed, observer, place } = course;
  const ids = tasks.map(({ id }) => id);
  return {
    machine: agents.definition,
    replicas,
    killed: doomed,
    orphans: control.orphans,
    leaseMs,
    calls: control.tally.calls,
    ranOut: control.tally.ranOut,
    endings: control.endings,
    ...(await collect(observer, place, agents, recording, ids)),
  };
}

function nothingLeft({ endings, orphans, tally }: Control, left: readonly string[]): Check {
  return {
    name: "nothing-left",
    text: `nothing is left running of ${endings.size + orphans.size} agents and ${tally.replicas.size} replicas`,
    faults: left.map((replica) => `${replica}, or an agent of it, did not end by itself`),
  };
}
