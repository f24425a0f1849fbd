import { connect } from "latchkey";
import { startValkey } from "latchkey/testing";
import { DemoFailure, FirstFailure } from "./failure.js";
import type { Credentials } from "./messages.js";
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
  /** A running server. @default one of its own, stopped at the end */
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
    const credentials = options.server ?? { url: await ownServer(teardown, failure, show) };
    const namespace = freshNamespace();
    const { replaced, report, address } = await runRaces(
      credentials,
      namespace,
      options,
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

async function runRaces(
  credentials: Credentials,
  namespace: string,
  options: DemoOptions,
  teardown: Teardown,
  failure: FirstFailure,
  { paint }: Stage,
  show: Show,
): Promise<{ replaced: ReplacedReport; report: RaceReport; address: string }> {
  const latchkey = await connect({ ...credentials, namespace });
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
  const replaced = await runReplacedRace(credentials, `${namespace}-replaced`, before, replicas, failure);
  for (const line of replacedText(replaced, paint)) show.line(line);
  show.line("");
  show.line(
    paint.bold(`After: ${options.replicas} replicas race with latchkey; ${options.agents} real processes`),
  );
  const course = { credentials, namespace, observer, latchkey, tasks, replicas, victim: VICTIM };
  const report = await race(course, teardown, failure, show);
  show.end();
  return { replaced, report, address: observer.address };
}

/** Suggests commands: on the kept server if there is one. */
function nextText({ keep, server, command }: DemoOptions, url: string, namespace: string): string {
  const commands = keep
    ? [
        ["history a17", "who won each transition"],
        ["list --state failed", "with those of the killed replica"],
        ["get a17", "one agent, explained"],
        ["fsck", "checks index, timers and logs"],
      ]
    : [
        ["demo --keep", "keep the server and its agents"],
        ["dev", "start a server for you"],
        ["graph", "draw the state machine"],
      ];
  const lines = commands.map(
    ([words = "", text = ""]) => `  ${`${command} ${words}`.padEnd(command.length + 22)} ${text}`,
  );
  if (!keep) return ["Next:", ...lines, ""].join("\n");
  const title = server === undefined ? "The server runs until Ctrl-C. In another terminal:" : "Next:";
  const where = `  export VALKEY_URL=${withoutPassword(url)} LATCHKEY_NAMESPACE=${namespace}`;
  return [title, where, ...lines, ""].join("\n");
}

function withoutPassword(url: string): string {
  return url.replace(/\/\/[^/@]*@/, "//");
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
