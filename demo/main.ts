import { connect } from "latchkey";
import { startValkey } from "latchkey/testing";
import { urlParts } from "./address.js";
import { DemoCluster } from "./cluster.js";
import { DemoFailure, FirstFailure } from "./failure.js";
import type { CallOptions, Credentials } from "./messages.js";
import { freshNamespace, Observer } from "./observer.js";
import { planTasks } from "./plan.js";
import { race, type Teardown } from "./race.js";
import { type ReplacedReport, replacedText, runReplacedRace } from "./replaced-race.js";
import { type RaceReport, type Report, verdictText } from "./report.js";
import { liveShow, plainShow, type Show, type Stage, silentShow } from "./show.js";

/** Options of the demo. */
export interface DemoOptions {
  readonly agents: number;
  readonly replicas: number;
  readonly format: "table" | "json";
  /** True to keep the server, or the keys on a named server, after the verdict. */
  readonly keep: boolean;
  /** The servers that the demo starts. A primary of a cluster is killed in the middle. */
  readonly topology: "standalone" | "cluster";
  /** A running server. @default servers of its own, stopped at the end */
  readonly server?: Credentials;
  /** Name of the command line in the texts, such as `latchkey` or `node bin/latchkey.js`. */
  readonly command: string;
  /** Ends the demo early. Everything is taken down nevertheless. */
  readonly signal: AbortSignal;
}

/** Agents of the race with the replaced service: a few seconds. */
const REPLACED_AGENTS = 60;
const VICTIM = "replica-2";
/**
 * Calls to a cluster survive a failover. An acknowledged change is on a replica, if the primary has one: after the failover
 * one of them has none, so the wait is short.
 */
const CLUSTER_CALLS: CallOptions = { timeout: "30s", durability: { replicas: 1, timeoutMs: 100 } };

/**
 * Runs the demo: the race with the replaced service, then the race with latchkey, then the verdict. It takes down
 * everything that it set up: replicas, agents, the server or, on a named server, its keys.
 *
 * @returns true if all checks passed
 * @throws DemoFailure if the race could not be completed; NoValkeyError or ConnectError if it could not begin.
 */
export async function runDemo(options: DemoOptions, stage: Stage): Promise<boolean> {
  const failure = new FirstFailure();
  const teardown: Teardown = [];
  const show = showFor(options, stage);
  const interrupt = (): void => {
    show.end();
    stage.note("interrupted: stopping everything");
    failure.report(new DemoFailure("interrupted"));
  };
  options.signal.addEventListener("abort", interrupt, { once: true });
  try {
    const { credentials, cluster } = await serversFor(options, teardown, failure, show);
    const namespace = freshNamespace();
    const { replaced, report, address } = await runRaces(
      credentials,
      namespace,
      options,
      cluster,
      teardown,
      failure,
      stage,
      show,
    );
    if (options.format === "json") {
      await stage.write(`${JSON.stringify({ ...report, server: address, replaced } satisfies Report)}\n`);
    } else {
      await stage.write(verdictText(report, stage.paint) + nextText(options, credentials.url, namespace));
    }
    if (options.keep && options.server === undefined) await aborted(options.signal);
    return report.ok;
  } finally {
    show.end();
    for (const undo of teardown.reverse()) await undo();
    options.signal.removeEventListener("abort", interrupt);
  }
}

function showFor({ format }: DemoOptions, stage: Stage): Show {
  if (format === "json") return silentShow(stage);
  return stage.isLive ? liveShow(stage) : plainShow(stage);
}

/** Starts a server for this run. It stops with the demo, so its keys need no removal. */
async function ownServer(teardown: Teardown, failure: FirstFailure, show: Show): Promise<string> {
  const server = await startValkey({ onNotice: (line) => show.warn(line) });
  teardown.push(() => server.stop());
  if ("ended" in server)
    void server.ended.then(() => failure.report(new DemoFailure("the server ended unexpectedly")));
  return server.url;
}

/** Returns the servers of this run: the named one, or those of the topology, which it starts. */
async function serversFor(
  { topology, server }: DemoOptions,
  teardown: Teardown,
  failure: FirstFailure,
  show: Show,
): Promise<{ readonly credentials: Credentials; readonly cluster?: DemoCluster }> {
  if (server !== undefined) return { credentials: server };
  if (topology === "standalone") return { credentials: { url: await ownServer(teardown, failure, show) } };
  show.line("Starting a cluster of three primaries and three replicas");
  const cluster = await DemoCluster.start(
    (line) => show.warn(line),
    () => failure.report(new DemoFailure("a server ended unexpectedly")),
  );
  teardown.push(() => cluster.stop());
  return { credentials: { url: cluster.url }, cluster };
}

async function runRaces(
  credentials: Credentials,
  namespace: string,
  options: DemoOptions,
  cluster: DemoCluster | undefined,
  teardown: Teardown,
  failure: FirstFailure,
  { paint }: Stage,
  show: Show,
): Promise<{ replaced: ReplacedReport; report: RaceReport; address: string }> {
  const calls = cluster === undefined ? {} : CLUSTER_CALLS;
  const latchkey = await connect({ ...credentials, ...calls, namespace });
  teardown.push(() => latchkey.close());
  const { partitions } = await latchkey.init();
  const observer = await Observer.connect(credentials, namespace, partitions);
  teardown.push(() => observer.close());
  const replicas = Array.from({ length: options.replicas }, (_, at) => `replica-${at + 1}`);
  const tasks = planTasks(options.agents, replicas, VICTIM);
  if (options.server !== undefined && !options.keep) {
    const warn = (): void =>
      show.warn(`the keys of namespace ${namespace} could not be removed from ${observer.address}`);
    teardown.push(() => observer.removeKeys(tasks.map(({ id }) => id)).catch(warn));
  }

  const before = Math.min(options.agents, REPLACED_AGENTS);
  show.line(
    paint.bold(
      `Before: a mutex in each of ${options.replicas} replicas, then GET, SET, PUBLISH; ${before} real processes`,
    ),
  );
  // In a cluster its keys are at one node: the common way knows one server.
  const prefix = `{${namespace}}-replaced`;
  const node = await observer.credentialsFor(prefix);
  const replaced = await runReplacedRace(node, prefix, before, replicas, failure);
  for (const line of replacedText(replaced, paint)) show.line(line);
  show.line("");
  show.line(
    paint.bold(`After: ${options.replicas} replicas race with latchkey; ${options.agents} real processes`),
  );
  const course = {
    credentials,
    namespace,
    observer,
    latchkey,
    calls,
    cluster,
    tasks,
    replicas,
    victim: VICTIM,
  };
  const report = await race(course, teardown, failure, show);
  show.end();
  return { replaced, report, address: observer.address };
}

/** Suggests commands: on the kept server if there is one. */
function nextText({ keep, server, topology, command }: DemoOptions, url: string, namespace: string): string {
  const { address } = urlParts(url);
  const place = server === undefined ? "" : ` --url ${address}`;
  const again = `demo --keep${topology === "cluster" ? " --topology cluster" : place}`;
  const commands = keep
    ? [
        ["history a17", "who won each transition"],
        ["list --state failed", "with those of the killed replica"],
        ["get a17", "one agent, explained"],
        ["fsck", "checks index, timers and logs"],
      ]
    : [
        [again, server === undefined ? "keep the server and its agents" : "keep the agents"],
        ["dev", "start a server for you"],
        ["graph", "draw the state machine"],
      ];
  const width = Math.max(21, ...commands.map(([words = ""]) => words.length)) + 1;
  const lines = commands.map(([words = "", text = ""]) => `  ${command} ${words.padEnd(width)}${text}`);
  if (!keep) return ["Next:", ...lines, ""].join("\n");
  const title = server === undefined ? "The server runs until Ctrl-C. In another terminal:" : "Next:";
  const where = `  export VALKEY_URL=${address} LATCHKEY_NAMESPACE=${namespace}`;
  return [title, where, ...lines, ""].join("\n");
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
