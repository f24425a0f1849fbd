import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { connect } from "latchkey";
import type { Fault, Topology } from "../fault.js";
import { ClientFleet } from "../fleet/client-fleet.js";
import { HistoryWriter } from "../history/writer.js";
import { job } from "../machines/job.js";
import { MachineKeys } from "../machines/keys.js";
import { SHIFTS, shift } from "../machines/shift.js";
import { openProxy } from "../proxy/open.js";
import type { NodeProxy } from "../proxy/proxy.js";
import { type FsckVerdict, fsck } from "../servers/latchkey-command.js";
import { ServerProcess } from "../servers/process.js";
import type { Servers } from "../servers/servers.js";
import { SmallDisk } from "../servers/small-disk.js";
import { startServers } from "../servers/start.js";
import { arenaOf } from "./arena.js";
import { copyRecorder } from "./copy-recorder.js";
import { type InjectionResult, Injections, schedule } from "./injections.js";
import type { Interruption } from "./interruption.js";
import { Load } from "./load.js";
import { LogTrimmer } from "./log-trimmer.js";
import { ProgressLine } from "./progress.js";
import { TimedLoad } from "./timed-load.js";
import { clocksOf, writeHistory } from "./write-history.js";

/** Configures a run. */
export interface RunOptions {
  readonly topology: Topology;
  /** Silence after which a node of a cluster counts as failing, in ms. */
  readonly nodeTimeoutMs: number;
  readonly operations: number;
  readonly injections: number;
  readonly seed: number;
  /** The faults to choose from. */
  readonly faults: readonly Fault[];
  /** Path of the history. */
  readonly history: string;
  /** Path of the history of the timed clients. */
  readonly timed: string;
  /** Command line that repeats the run. */
  readonly command: string;
  /** True if the run may pass although kinds of faults are unavailable here. */
  readonly allowUnavailable: boolean;
}

/** Holds the results of a run before its history is checked. */
export interface RunResult {
  readonly injected: readonly InjectionResult[];
  readonly fsck: FsckVerdict;
  /** The result of fsck for the timed clients. */
  readonly timedFsck: FsckVerdict;
  /** Errors outside of any fault: a client that exited, a call that was rejected as invalid. */
  readonly problems: readonly string[];
}

const NAMESPACE = "faults";
/** Several for each primary of a cluster. Each event in the history has a position for every one. */
const PARTITIONS = { standalone: 1, sentinel: 1, cluster: 8 };
const SIZE = { workers: 4, readers: 1, followers: 2, concurrency: 8 };
/** Each client of a cluster has three times as many connections. */
const CLUSTER_SIZE = { ...SIZE, workers: 2, followers: 1 };
const CALL_TIMEOUT_MS = 2_000;
/** Calls before the first fault, so that it meets a run under load. */
const WARM_UP = 300;
const SETTINGS = { appendonly: "yes", appendfsync: "everysec" };
const LOOK_MS = 20;

/** Steps at the end of a run, however it ends. The last one runs first. */
type CleanUp = (() => Promise<unknown>)[];

/**
 * Runs clients against servers, injects faults, and records everything.
 *
 * @throws Interrupted if it was interrupted. All its processes have ended then.
 */
export async function run(options: RunOptions, interruption: Interruption): Promise<RunResult> {
  const progress = new ProgressLine();
  const cleanUp: CleanUp = [];
  const end = async (): Promise<void> => {
    for (const step of cleanUp.splice(0).reverse()) await step();
    progress.end();
  };
  try {
    return await interruption.race(runWith(options, interruption, progress, cleanUp));
  } finally {
    await end();
  }
}

async function runWith(
  options: RunOptions,
  interruption: Interruption,
  progress: ProgressLine,
  cleanUp: CleanUp,
): Promise<RunResult> {
  const { operations, injections, seed, topology, nodeTimeoutMs, command } = options;
  const startedAt = new Date().toISOString();
  const problems: string[] = [];
  const folder = await mkdtemp(join(tmpdir(), "latchkey-faults-"));
  cleanUp.push(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  // A fault may be interrupted, so its disks and servers are removed here too.
  cleanUp.push(() => SmallDisk.closeAll());
  cleanUp.push(() => ServerProcess.kill9All());
  const clients = join(folder, "clients");
  await mkdir(clients);

  const proxies: NodeProxy[] = [];
  const open = async (target: number): Promise<NodeProxy> => {
    const proxy = await openProxy(target);
    proxies.push(proxy);
    return proxy;
  };
  const servers = await startServers({
    ...{ topology, folder, nodeTimeoutMs },
    settings: SETTINGS,
    openProxy: open,
  });
  cleanUp.push(() => servers.close());
  const partitions = PARTITIONS[topology];
  const keys = new MachineKeys(NAMESPACE, job.name, partitions);
  const timedKeys = new MachineKeys(SHIFTS, shift.name, partitions);
  await applyMachine(servers, keys);

  const common = {
    seed,
    url: servers.url,
    namespace: NAMESPACE,
    timeoutMs: CALL_TIMEOUT_MS,
    folder: clients,
  };
  const onProblem = (text: string): void => {
    // The clients were interrupted too.
    if (interruption.isInterrupted) return;
    problems.push(text);
    progress.log(text);
  };
  const size = topology === "cluster" ? CLUSTER_SIZE : SIZE;
  const fleet = new ClientFleet(size, common, onProblem);
  cleanUp.push(() => fleet.killAll());
  await fleet.start();
  const timed = await TimedLoad.start({ ...common, servers, keys: timedKeys, onProblem });
  cleanUp.push(() => timed.stop());
  const hasFailed = (): boolean => fleet.hasFailed || timed.fleet.hasFailed;

  const history = new HistoryWriter(join(clients, "runner.jsonl"));
  const logTrimmer = new LogTrimmer(keys);
  const context = {
    servers,
    proxies,
    fleet,
    timed: timed.fleet,
    logTrimmer,
    history,
    onCopy: copyRecorder([
      { keys, history },
      { keys: timedKeys, history: timed.copies },
    ]),
    folder,
    keys,
    log: (line: string) => progress.log(line),
  };
  const heal = (): void => {
    for (const proxy of proxies) proxy.heal();
  };
  const injector = new Injections(history, heal);
  const load = new Load(fleet, operations, injections);
  cleanUp.push(async () => load.stop());
  let current = "warming up";
  const show = setInterval(() => {
    const { begun, unknown } = fleet.progress;
    const calls = begun < operations ? `${begun}/${operations}` : `${begun}`;
    const counts = `${calls} calls, ${load.injected}/${injections} faults, ${unknown} unknown`;
    if (!interruption.isInterrupted) progress.show(() => `${counts}  ${current}`);
  }, 100);
  cleanUp.push(async () => clearInterval(show));

  await until(() => fleet.progress.ended >= Math.min(WARM_UP, operations) || hasFailed());
  const planned = schedule(options.faults, injections, seed);
  for (const [i, fault] of planned.entries()) {
    if (hasFailed()) break;
    current = fault.name;
    const injectionsLeft = planned.slice(i).filter((one) => one === fault).length;
    await injector.inject(fault, (attempt) =>
      arenaOf(context, { seed, injection: i, attempt, injectionsLeft }),
    );
    load.injected += 1;
  }
  current = "no more faults";
  await until(() => fleet.progress.begun >= operations || hasFailed());
  load.stop();

  current = "ending";
  await fleet.finish(() => lastEntries(servers, keys));
  history.close();
  current = "finishing the timed clients";
  const injected = [...injector.all.values()];
  const hasClocks = clocksOf(injected).length > 0;
  await timed.finish(hasClocks);
  current = "writing the history";
  const faults = join(clients, "runner.jsonl");
  const about = { seed, topology, command, startedAt };
  await rm(options.timed, { force: true });
  await timed.write({ path: options.timed, run: about, injected, faults });
  await writeHistory(options.history, {
    run: about,
    injected,
    files: [...fleet.files, faults],
    ...{ servers, keys, logTrimmer },
  });
  current = "fsck";
  return {
    injected,
    fsck: await fsck({ url: servers.url, namespace: NAMESPACE, machine: job.name }, hasClocks),
    timedFsck: await timed.fsck(hasClocks),
    problems,
  };
}

async function applyMachine({ url }: Servers, { namespace, partitions }: MachineKeys): Promise<void> {
  const latchkey = await connect({ url, namespace });
  await latchkey.init(partitions);
  await latchkey.apply(job);
  await latchkey.close();
}

/** Returns the ID of the newest entry of each partition's event log, separated by commas. */
async function lastEntries(servers: Servers, keys: MachineKeys): Promise<string> {
  const entries: string[] = [];
  for (const prefix of keys.prefixes) {
    const { admin } = await servers.primary(prefix);
    const [last] = await admin.xrevrange(`${prefix}events`, "+", "-", "COUNT", 1);
    entries.push(last?.[0] ?? "0-0");
  }
  return entries.join(",");
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await pause(LOOK_MS);
}
