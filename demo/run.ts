import { connect } from "latchkey";
import { agent } from "latchkey";
import { resolveEmbedded } from "latchkey";
import { startEmbedded } from "latchkey";
import { openConnection } from "latchkey";
import { DemoFailure, Trouble } from "./failure.js";
import type { Credentials } from "./messages.js";
import { freshNamespace, removeKeys } from "./namespace.js";
import { planTasks } from "./plan.js";
import { race, type TakeDown, type Watcher } from "./race.js";
import type { Report } from "./report.js";

/** Settings of {@link runDemo}. */
export interface DemoOptions {
  readonly agents: number;
  readonly replicas: number;
  /** A running server. @default one of its own, gone afterwards */
  readonly server?: Credentials;
  /** Ends the demo early; everything is taken down all the same. */
  readonly signal: AbortSignal;
}

/**
 * Runs the race from start to verdict, and takes down whatever it put up: replicas, agents, the server or, on a named
 * server, its keys.
 *
 * @throws DemoFailure when the race could not be run to its end; NoValkeyError or ConnectError where it can't begin.
 * @example const { ok } = await runDemo({ agents: 200, replicas: 3, signal }, watcher);
 */
export async function runDemo(options: DemoOptions, watcher: Watcher): Promise<Report> {
  const trouble = new Trouble();
  const interrupt = (): void => trouble.meet(new DemoFailure("interrupted"));
  options.signal.addEventListener("abort", interrupt, { once: true });
  const takeDown: TakeDown = [];
  try {
    const credentials = options.server ?? { url: await ownServer(takeDown, trouble, watcher) };
    return await onServer(credentials, options, takeDown, trouble, watcher);
  } finally {
    for (const undo of takeDown.reverse()) await undo();
    options.signal.removeEventListener("abort", interrupt);
  }
}

/** Starts a server for this run alone. Nothing of it is left, so its keys need no removing. */
async function ownServer(takeDown: TakeDown, trouble: Trouble, watcher: Watcher): Promise<string> {
  const found = await resolveEmbedded();
  if (found.kind === "program" && found.program.notice !== undefined) watcher.warn(found.program.notice);
  const server = await startEmbedded(found);
  takeDown.push(() => server.stop());
  void server.ended.then(() => trouble.meet(new DemoFailure("the server ended unexpectedly")));
  return server.url;
}

async function onServer(
  credentials: Credentials,
  options: DemoOptions,
  takeDown: TakeDown,
  trouble: Trouble,
  watcher: Watcher,
): Promise<Report> {
  const namespace = freshNamespace();
  const latchkey = await connect({ ...credentials, namespace });
  takeDown.push(() => latchkey.close());
  // The race is watched over a connection of its own.
  const observer = await openConnection({ ...credentials, connectionName: "latchkey-demo-observer" });
  takeDown.push(() => observer.close());

  const replicas = Array.from({ length: options.replicas }, (_, at) => `replica-${at + 1}`);
  const doomed = "replica-2";
  const tasks = planTasks(options.agents, replicas, doomed);
  const { partitions } = await latchkey.init();
  const place = { namespace, partitions, machine: agent().name };
  if (options.server !== undefined) {
    const ids = tasks.map(({ id }) => id);
    const leave = (): void => {
      watcher.warn(`the keys of namespace ${namespace} could not be removed from ${observer.address}`);
    };
    takeDown.push(() => removeKeys(observer, place, ids).catch(leave));
  }
  const course = { credentials, place, observer, latchkey, tasks, replicas, doomed };
  return race(course, takeDown, trouble, watcher);
}
