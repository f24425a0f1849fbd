import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type CompiledMachine, compileMachine, connect } from "latchkey";
import type { Fault, Topology } from "../fault.js";
import { ClientFleet } from "../fleet/processes.js";
import { HistoryWriter, monotonicMs, type RunRecord } from "../history.js";
import { job } from "../job.js";
import { openProxy } from "../proxy/open.js";
import type { NodeProxy } from "../proxy/proxy.js";
import type { ServerNode } from "../servers/servers.js";
import { startServers } from "../servers/start.js";
import { arenaOf, type Ground } from "./arena.js";
import { keyPrefix, writeFinalState } from "./final-state.js";
import { type FsckVerdict, fsck } from "./fsck.js";
import { type Injected, Injections } from "./injections.js";
import { Load } from "./load.js";
import { ProgressLine } from "./progress.js";
import { schedule } from "./schedule.js";
import { TrimmedLog } from "./trimmed.js";

/** What to run. */
export interface RunOptions {
  readonly topology: Topology;
  readonly operations: number;
  readonly injections: number;
  readonly seed: number;
  /** The faults to choose from. */
  readonly faults: readonly Fault[];
  /** Where the history goes. */
  readonly history: string;
  /** The line that does this again. */
  readonly command: string;
}

/** What came of it, before anything is checked. */
export interface RunResult {
  readonly injected: readonly Injected[];
  readonly fsck: FsckVerdict;
  /** What went wrong outside of any fault: a client that ended, a call that was refused as wrong. */
  readonly problems: readonly string[];
}

const NAMESPACE = "faults";
const SIZE = { workers: 4, readers: 1, followers: 2, concurrency: 8 };
const CALL_TIMEOUT_MS = 2_000;
/** Calls before the first fault, so that it meets a run that is under way. */
const WARM_UP = 300;
const SETTINGS = { appendonly: "yes", appendfsync: "everysec" };

/** Runs clients against servers, injects faults meanwhile, and writes down all that happened. */
export async function run(options: RunOptions): Promise<RunResult> {
  const folder = await mkdtemp(join(tmpdir(), "latchkey-faults-"));
  const progress = new ProgressLine();
  const cleanUp: (() => Promise<void>)[] = [
    () => rm(folder, { recursive: true, force: true, maxRetries: 3 }),
  ];
  try {
    return await runIn(folder, options, progress, cleanUp);
  } finally {
    for (const step of cleanUp.reverse()) await step();
    progress.end();
  }
}

async function runIn(
  folder: string,
  options: RunOptions,
  progress: ProgressLine,
  cleanUp: (() => Promise<void>)[],
): Promise<RunResult> {
  const { operations, injections, seed, topology } = options;
  const startedAt = new Date().toISOString();
  const proxies: NodeProxy[] = [];
  const problems: string[] = [];
  const clients = join(folder, "clients");
  await mkdir(clients);

  const servers = await startServers({
    topology,
    folder,
    settings: SETTINGS,
    openProxy: async (target) => {
      const proxy = await openProxy(target);
      proxies.push(proxy);
      return proxy;
    },
  });
  cleanUp.push(() => servers.close());
  await applyMachine(await servers.primary());

  const common = {
    seed,
    url: servers.url,
    namespace: NAMESPACE,
    timeoutMs: CALL_TIMEOUT_MS,
    folder: clients,
  };
  const fleet = new ClientFleet(SIZE, common, (text) => {
    problems.push(text);
    progress.log(text);
  });
  cleanUp.push(() => fleet.killAll());
  await fleet.start();

  const trimmed = new TrimmedLog(`${keyPrefix(NAMESPACE, job.name)}events`, job.name);
  const runner = new HistoryWriter(join(clients, "runner.jsonl"));
  const all = new Injections(runner, () => {
    for (const proxy of proxies) proxy.heal();
  });
  const ground: Ground = {
    servers,
    proxies,
    fleet,
    trimmed,
    history: runner,
    folder,
    namespace: NAMESPACE,
    machine: job.name,
    log: (line) => progress.log(line),
  };
  const load = new Load(fleet, operations, injections);
  cleanUp.push(async () => load.stop());
  let current = "";
  const show = setInterval(() => {
    const { begun, unknown } = fleet.progress;
    progress.show(
      () =>
        `${begun}/${operations} calls, ${load.injected}/${injections} faults, ${unknown} unknown  ${current}`,
    );
  }, 100);
  cleanUp.push(async () => clearInterval(show));

  await until(() => fleet.progress.ended >= Math.min(WARM_UP, operations));
  for (const [i, fault] of schedule(options.faults, injections, seed).entries()) {
    current = fault.name;
    await all.inject(fault, (attempt) => arenaOf(ground, seed, i, attempt));
    load.injected += 1;
  }
  current = "no more faults";
  await until(() => fleet.progress.begun >= operations);
  load.stop();

  current = "ending";
  const callers = fleet.processes.filter(({ role }) => role !== "follower");
  await Promise.all(callers.map((one) => one.finish()));
  const primary = await servers.primary();
  const upTo = await lastEntry(primary);
  await Promise.all(fleet.of("follower").map((one) => one.finish(upTo)));
  runner.close();

  current = "writing the history";
  const used = options.faults.filter(({ name }) => (all.all.get(name)?.injected ?? 0) > 0);
  const record: RunRecord = {
    kind: "run",
    format: 1,
    seed,
    topology,
    command: options.command,
    startedAt,
    machines: [await installed(primary)],
    loss: used.flatMap(({ name, loses }) => {
      if (loses === false) return [];
      return [{ fault: name, windowMs: null, ...(loses !== true && loses) }];
    }),
  };
  await rm(options.history, { force: true });
  const history = new HistoryWriter(options.history);
  history.append(record);
  for (const file of [...fleet.files, join(clients, "runner.jsonl")]) history.appendFile(file);
  await writeFinalState(primary.admin, NAMESPACE, job.name, history);
  await trimmed.write(primary.admin, history);
  history.append({ kind: "end", at: monotonicMs() });
  history.close();

  current = "fsck";
  const verdict = await fsck(urlOf(primary), NAMESPACE, job.name);
  return { injected: [...all.all.values()], fsck: verdict, problems };
}

function urlOf({ port }: ServerNode): string {
  return `valkey://127.0.0.1:${port}`;
}

async function applyMachine(primary: ServerNode): Promise<void> {
  const latchkey = await connect({ url: urlOf(primary), namespace: NAMESPACE });
  await latchkey.apply(job);
  await latchkey.close();
}

/** The machine as it is installed: its states in the order of their ordinals. */
async function installed({ admin }: ServerNode): Promise<CompiledMachine> {
  const order = (await admin.hget(`${keyPrefix(NAMESPACE, job.name)}machine`, "states")) ?? "";
  const machine = compileMachine(job);
  const states = order.split(" ").flatMap((name) => {
    const state = machine.states[name];
    return state === undefined ? [] : [[name, state] as const];
  });
  return { ...machine, states: Object.fromEntries(states) };
}

async function lastEntry({ admin }: ServerNode): Promise<string> {
  const [last] = await admin.xrevrange(`${keyPrefix(NAMESPACE, job.name)}events`, "+", "-", "COUNT", 1);
  return last?.[0] ?? "0-0";
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await pause(20);
}
