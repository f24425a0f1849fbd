import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { Change } from "../contract/document.js";
import { Wakeups } from "../events/wakeups.js";
import { runQuestion } from "../valkey/ask.js";
import { askReachable } from "../valkey/ask-each.js";
import type { Connection } from "../valkey/connection.js";
import { reportEnd } from "../valkey/failed-listener.js";
import { OfflineError, safeMessage } from "../valkey/failure.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { onAbort } from "../valkey/on-abort.js";
import { readServerTime } from "../valkey/server-clock.js";
import { EntityQueues } from "./entity-queues.js";
import { ReactionGroup } from "./group.js";
import { HandlerRuns } from "./handler-runs.js";
import type { Handler } from "./handler-settings.js";
import { Intake } from "./intake.js";
import { type ReactionSettings, type ReactOptions, readSettings } from "./settings.js";

/** Starts a reaction in this replica. */
export async function react<S extends string, F extends object>(
  store: MachineStore,
  name: string,
  handler: Handler<Change<S, F>>,
  options: ReactOptions,
): Promise<Reaction> {
  const settings = await readSettings(store, name, handler, options);
  return runQuestion(store.connection, `starting reaction ${name}`, () =>
    RunningReaction.start(store, settings),
  );
}

/**
 * A running reaction in this replica. `agents.react(…)` starts it.
 *
 * @example
 * await using cleanup = await agents.react("cleanup", removeFiles, { on: ["agent.completed"] });
 */
export interface Reaction extends AsyncDisposable {
  readonly name: string;
  /**
   * Settles when the reaction has ended. Rejects with a `NotExecutedError` if the server rejects its calls, for example
   * without permission, and with a `ContractError` if this replica counted as dead and the reaction was forgotten
   * (`"NOREACTION"`) or other replicas now use other events (`"BADARG"`). The cause is also logged.
   */
  readonly closed: Promise<void>;
  /**
   * Stops taking events and waits for running handlers, but not longer than until latchkey is closed. Other replicas handle
   * the rest. Set `handlerTimeout` if a handler can hang.
   *
   * @throws nothing: errors are reported by `closed`.
   */
  close(): Promise<void>;
  /** Stops the reaction at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A reaction on the event log of a server. */
class RunningReaction implements Reaction {
  readonly name: string;
  readonly #connection: Connection;
  readonly #settings: ReactionSettings;
  /** One per partition. */
  readonly #groups: readonly ReactionGroup[];
  readonly #wakeups: Wakeups;
  readonly #stopping = new AbortController();
  readonly #runs: HandlerRuns;
  readonly #queues: EntityQueues;
  readonly #intake: Intake;
  readonly #closed: Promise<void>;

  private constructor(
    connection: Connection,
    groups: readonly ReactionGroup[],
    wakeups: Wakeups,
    settings: ReactionSettings,
  ) {
    this.name = settings.name;
    this.#connection = connection;
    this.#settings = settings;
    this.#groups = groups;
    this.#wakeups = wakeups;
    const { signal } = this.#stopping;
    this.#runs = new HandlerRuns(connection, settings, signal);
    this.#queues = new EntityQueues(connection, settings, this.#runs, signal, () => wakeups.ring());
    const target = { queues: this.#queues, runs: this.#runs, wakeups, stopping: signal };
    this.#intake = new Intake(connection, groups, settings, target);
    this.#closed = runQuestion(connection, `reaction ${this.name}`, () => this.#run());
    this.#closed.catch((error: unknown) => reportEnd(connection.logger, settings.machine, this.name, error));
  }

  /**
   * Creates the consumer groups if they do not exist, and begins. In a cluster, partitions whose server is unreachable follow
   * as soon as it replies.
   */
  static async start({ connection, location }: MachineStore, settings: ReactionSettings): Promise<Reaction> {
    const consumer = consumerName(connection);
    const groups = Array.from(
      { length: location.partitions },
      (_, partition) =>
        new ReactionGroup(connection, location, partition, settings.name, consumer, settings.from),
    );
    await createGroups(connection, groups, settings.name);
    const reachable = groups.filter(({ exists }) => exists);
    if (settings.signal?.aborted !== true) await join(reachable, settings);
    return new RunningReaction(connection, groups, new Wakeups({ connection, location }), settings);
  }

  get closed(): Promise<void> {
    return this.#closed;
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    this.#wakeups.stop();
    await this.#closed.catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(): Promise<void> {
    const { signal } = this.#settings;
    const unlisten = onAbort(signal, () => {
      this.#runs.abortAll(signal?.reason);
      void this.close();
    });
    let cancel = (): void => {};
    const closing = new Promise<void>((resolve) => {
      cancel = this.#connection.beforeClose(() => this.#beforeClose().finally(resolve));
    });
    try {
      if (signal?.aborted === true) this.#stopping.abort();
      await this.#intake.run();
      if (this.#connection.isClosed) this.#runs.abortAll(new Error("latchkey was closed"));
      await Promise.race([this.#queues.idle(), closing]);
      await this.#runs.counted();
      // If a handler still runs, the other replicas wait for takeOverAfter.
      if (!this.#connection.isClosed && this.#queues.isIdle) await this.#leave();
    } catch (error) {
      this.#stopping.abort();
      this.#runs.abortAll(error);
      if (!this.#connection.isClosed) throw error;
    } finally {
      unlisten();
      cancel();
      this.#wakeups.stop();
    }
  }

  /** Aborts the handlers and records on the server, as long as there is a connection, that their attempts do not count. */
  async #beforeClose(): Promise<void> {
    this.#stopping.abort();
    this.#runs.abortAll(new Error("latchkey was closed"));
    this.#wakeups.stop();
    if (!this.#connection.servers().some(({ isReady }) => isReady)) return;
    await this.#runs.counted();
    if (this.#queues.isIdle) await this.#closed.catch(() => {});
  }

  /** Leaves the group. If a server is unreachable, the others wait until this replica counts as dead. */
  async #leave(): Promise<void> {
    const results = await Promise.allSettled(
      this.#groups.map((group) => (group.isReachable ? group.leave() : Promise.reject(new OfflineError()))),
    );
    const failure = results.find(({ status }) => status === "rejected");
    if (failure?.status !== "rejected") return;
    this.#connection.logger.warn(
      { reaction: this.name, error: safeMessage(failure.reason) },
      "could not leave the reaction; other replicas wait for takeOverAfter",
    );
  }
}

/**
 * Names this replica, for operators: host, process ID and a random part, after the program's `connectionName` if it has one.
 *
 * @example "orchestrator@pod-7-1-9f86d081"
 */
function consumerName({ connectionName }: Connection): string {
  const program = connectionName === "latchkey" ? "" : `${connectionName}@`;
  const random = randomBytes(4).toString("hex");
  return `${program}${hostname()}-${process.pid}-${random}`.replace(/[^A-Za-z0-9@._-]/g, "-");
}

/**
 * Creates the consumer groups, in a cluster those of the servers that can be reached soon. The others then begin at this
 * time, by the clocks of these servers, instead of at the end of the log.
 *
 * @throws NotExecutedError if a server rejects that, or none answers
 */
async function createGroups(
  connection: Connection,
  groups: readonly ReactionGroup[],
  name: string,
): Promise<void> {
  const byKey = new Map(groups.map((group) => [group.keys.events, group]));
  const what = `starting reaction ${name}`;
  const { results } = await askReachable(connection, [...byKey.keys()], what, async (client, own) => {
    const creating = own.map((key) => byKey.get(key)?.createWith(client));
    const [{ nowMs }] = await Promise.all([readServerTime(client), ...creating]);
    return own.map(() => nowMs);
  });
  const nowMs = Math.floor(Math.min(...results.values()));
  for (const group of groups) if (!group.exists && group.from === "end") group.from = nowMs;
}

/** Registers this replica in all partitions that can be reached, or in none. */
async function join([first, ...others]: readonly ReactionGroup[], settings: ReactionSettings): Promise<void> {
  try {
    await first?.join(settings); // `forget` decides by the first partition
    await Promise.all(others.map((group) => group.join(settings)));
  } catch (error) {
    await Promise.allSettled([first, ...others].map((group) => group?.leave()));
    throw error;
  }
}
