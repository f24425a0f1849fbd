import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { Change } from "../contract/document.js";
import { Wakeups } from "../events/wakeups.js";
import { askOnce } from "../valkey/ask.js";
import type { Connection } from "../valkey/connection.js";
import { DEFAULT_SILENCE_MS } from "../valkey/connection-options.js";
import { Deadline } from "../valkey/deadline.js";
import { reportEnd } from "../valkey/failed-listener.js";
import { mayPass, replyCode, safeMessage } from "../valkey/failure.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { onAbort } from "../valkey/on-abort.js";
import { EntityQueues } from "./entity-queues.js";
import { type Batch, ReactionGroup } from "./group.js";
import { HandlerRuns } from "./handler-runs.js";
import type { Handler } from "./handler-settings.js";
import { type ReactionSettings, type ReactOptions, readSettings } from "./settings.js";

/** Longest time between two heartbeats. */
const LONGEST_TICK_MS = 1_000;

/** Starts a reaction in this replica. */
export async function react<S extends string, F extends object>(
  store: MachineStore,
  name: string,
  handler: Handler<Change<S, F>>,
  options: ReactOptions,
): Promise<Reaction> {
  const settings = await readSettings(store, name, handler, options);
  return askOnce(store.connection, `starting reaction ${name}`, () => RunningReaction.start(store, settings));
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
  readonly #closed: Promise<void>;
  /** True while events may have been reassigned whose handlers still run. */
  #isStale = false;

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
    this.#queues = new EntityQueues(connection, settings, this.#runs, signal);
    this.#closed = askOnce(connection, `reaction ${this.name}`, () => this.#run());
    this.#closed.catch((error: unknown) => reportEnd(connection.logger, settings.machine, this.name, error));
  }

  /** Creates the consumer groups if they do not exist, and begins. */
  static async start({ connection, location }: MachineStore, settings: ReactionSettings): Promise<Reaction> {
    const consumer = consumerName(connection);
    const groups = Array.from(
      { length: location.partitions },
      (_, partition) => new ReactionGroup(connection, location, partition, settings.name, consumer),
    );
    for (const group of groups) await group.create(settings.from);
    if (settings.signal?.aborted !== true) await join(groups, settings);
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
      while (!this.#isStopped) await this.#turn();
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
    if (this.#connection.client.status !== "ready") return;
    await this.#runs.counted();
    if (this.#queues.isIdle) await this.#closed.catch(() => {});
  }

  /** Leaves the group. If the server is unreachable, the others wait until this replica counts as dead. */
  async #leave(): Promise<void> {
    try {
      await Promise.all(this.#groups.map((group) => group.leave()));
    } catch (error) {
      const fields = { reaction: this.name, error: safeMessage(error) };
      this.#connection.logger.warn(
        fields,
        "could not leave the reaction; other replicas wait for takeOverAfter",
      );
    }
  }

  get #isStopped(): boolean {
    return this.#stopping.signal.aborted || this.#connection.isClosed;
  }

  /** Takes as many events as there is room for, then waits for room or for new events. */
  async #turn(): Promise<void> {
    let hasMore = false;
    this.#wakeups.take();
    for (const group of this.#groups) {
      if (this.#isStopped) return;
      try {
        hasMore = (await this.#take(group)) || hasMore;
      } catch (error) {
        if (this.#isStopped) return;
        if (!mayPass(error)) throw error;
        this.#connection.logger.warn({ reaction: this.name, error: safeMessage(error) }, "no reply to take");
      }
    }
    if (this.#queues.room === 0) await this.#moreRoom();
    else if (!hasMore) await this.#news();
  }

  /** @returns true if there may be more to take */
  async #take(group: ReactionGroup): Promise<boolean> {
    const { takeOverMs, delayMs, types } = this.#settings;
    let batch: Batch;
    try {
      batch = await group.take({ count: this.#queues.room, takeOverMs, delayMs, types });
    } catch (error) {
      if (this.#isStopped || replyCode(error) !== "NOGROUP") throw error;
      // The server lost its data. This group has handled nothing that the log holds now.
      const { logger } = this.#connection;
      logger.warn(
        { reaction: this.name },
        "the consumer group is gone; creating it anew at the start of the log",
      );
      await this.#connection.verify(); // its machines are lost too
      await group.create("0-0");
      return true;
    }
    for (const delivery of batch.deliveries) this.#queues.add(group, delivery);
    if (batch.missed !== undefined) this.#runs.reportMissed(batch.missed);
    this.#isStale ||= batch.isStale;
    if (this.#isStale) await this.#runs.abortReassigned();
    this.#isStale = false;
    return batch.hasMore;
  }

  get #tickMs(): number {
    const silenceMs = this.#connection.client.options.socketTimeout ?? DEFAULT_SILENCE_MS;
    return Math.max(1, Math.floor(Math.min(LONGEST_TICK_MS, silenceMs / 2, this.#settings.takeOverMs / 3)));
  }

  /** Waits for more room, at most until the next heartbeat or for `waitMs`. */
  async #moreRoom(waitMs = this.#tickMs): Promise<void> {
    await Deadline.in(waitMs)
      .race(this.#queues.moreRoom())
      .catch(() => {}); // time for the heartbeat
  }

  /**
   * Waits for new events or until one is due, at most until the next heartbeat. All replicas wake, whichever takes the
   * events.
   */
  async #news(): Promise<void> {
    const dues = this.#groups.flatMap(({ due }) => (due === undefined ? [] : Math.ceil(due.remainingMs)));
    const waitMs = Math.max(1, Math.min(this.#tickMs, ...dues));
    await this.#wakeups.wait(waitMs);
  }
}

/**
 * Names this replica, for operators: host, process ID and a random part, after the program's `connectionName` if it has one.
 *
 * @example "orchestrator@pod-7-1-9f86d081"
 */
function consumerName({ client }: Connection): string {
  const { connectionName } = client.options;
  const program = (connectionName ?? "latchkey") === "latchkey" ? "" : `${connectionName}@`;
  const random = randomBytes(4).toString("hex");
  return `${program}${hostname()}-${process.pid}-${random}`.replace(/[^A-Za-z0-9@._-]/g, "-");
}

/** Registers this replica in all partitions, or in none. */
async function join(groups: readonly ReactionGroup[], settings: ReactionSettings): Promise<void> {
  try {
    for (const group of groups) await group.join(settings);
  } catch (error) {
    await Promise.allSettled(groups.map((group) => group.leave()));
    throw error;
  }
}
