import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import type { Valkey } from "iovalkey";
import { LatchkeyError } from "../errors/latchkey-error.js";
import type { Connection } from "../valkey/connection.js";
import { DEFAULT_SILENCE_MS, EVENTS } from "../valkey/connection-options.js";
import { reportListener } from "../valkey/failed-listener.js";
import { isLoss, mayPass, replyCode, safeMessage } from "../valkey/failure.js";
import type { MachineLocation } from "../valkey/keys.js";
import { hangUp } from "../valkey/open-clients.js";
import { openInTime } from "../valkey/open-in-time.js";
import { START } from "../valkey/stream.js";
import { ReactionGroup, type Taken } from "./group.js";
import { ReactionLanes } from "./lanes.js";
import { tellMissed } from "./missed.js";
import type { ReactionSettings, TextHandler } from "./settings.js";

/** One partition, and how far this replica knows of it. */
interface Share {
  readonly group: ReactionGroup;
  /** Up to where the log was given out. */
  delivered: string;
  /** Others may have taken events over, and their handlers were not told yet. */
  isStale: boolean;
}

/** The longest time without a sign of life to the other replicas. */
const LONGEST_TICK_MS = 1_000;

/**
 * This replica's part of a running reaction. Made by `agents.react(…)`.
 *
 * @example
 * await using cleanup = await agents.react("cleanup", removeFiles, { on: ["agent.completed"] });
 */
export class Reaction implements AsyncDisposable {
  readonly name: string;
  readonly #connection: Connection;
  readonly #settings: ReactionSettings;
  readonly #shares: Share[];
  readonly #lanes: ReactionLanes;
  readonly #stopping = new AbortController();
  readonly #client: Valkey;
  readonly #closed: Promise<void>;

  private constructor(
    connection: Connection,
    name: string,
    groups: readonly ReactionGroup[],
    client: Valkey,
    settings: ReactionSettings,
    lanes: (stopping: AbortSignal) => ReactionLanes,
    toCaller: (error: unknown) => unknown,
  ) {
    this.name = name;
    this.#connection = connection;
    this.#settings = settings;
    this.#shares = groups.map((group) => ({ group, delivered: START, isStale: false }));
    this.#client = client;
    this.#lanes = lanes(this.#stopping.signal);
    this.#closed = this.#run().catch((error: unknown) => {
      throw toCaller(error);
    });
    this.#closed.catch((error: unknown) => reportListener(connection.logger, `of reaction ${name}`, error));
  }

  /**
   * Makes the group where there is none, and begins.
   *
   * @param toCaller makes of what ends it what its caller is told
   */
  static async start(
    connection: Connection,
    location: MachineLocation,
    name: string,
    handler: TextHandler,
    settings: ReactionSettings,
    toCaller: (error: unknown) => unknown,
  ): Promise<Reaction> {
    const consumer = `${hostname().replace(/[^A-Za-z0-9.-]/g, "-")}-${process.pid}-${randomBytes(4).toString("hex")}`;
    const groups = Array.from(
      { length: location.partitions },
      (_, partition) => new ReactionGroup(connection, location, partition, name, consumer),
    );
    for (const group of groups) await group.create(settings.from);
    const client = await openInTime(connection, () => connection.open(EVENTS));
    try {
      if (settings.signal?.aborted !== true) await join(groups, settings);
    } catch (error) {
      hangUp(client);
      throw error;
    }
    return new Reaction(
      connection,
      name,
      groups,
      client,
      settings,
      (stopping) => new ReactionLanes(connection, name, handler, settings, stopping),
      toCaller,
    );
  }

  /**
   * Settles when it has ended; rejected where it can't go on, such as for lack of rights. With a `ContractError` where it
   * was forgotten (`"NOREACTION"`) or others want other events since (`"BADARG"`), while this replica was taken for dead.
   */
  get closed(): Promise<void> {
    return this.#closed;
  }

  /**
   * Takes no further event and lets the handlers that run end; leaves the rest to the other replicas.
   *
   * @throws nothing: what went wrong, `closed` says.
   */
  async close(): Promise<void> {
    this.#stopping.abort();
    hangUp(this.#client);
    await this.#closed.catch(() => {});
  }

  /** Stops the reaction at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(): Promise<void> {
    // One of its own: a signal that many reactions share takes but few listeners.
    const signal = this.#settings.signal && AbortSignal.any([this.#settings.signal]);
    const stop = (): void => {
      this.#lanes.abortAll(signal?.reason);
      void this.close();
    };
    const stay = this.#connection.beforeClose(() => this.#part());
    signal?.addEventListener("abort", stop, { once: true });
    try {
      if (signal?.aborted === true) this.#stopping.abort();
      while (!this.#isStopped) await this.#turn();
      if (this.#connection.isClosed) this.#lanes.abortAll(new LatchkeyError("CLOSED", "latchkey was closed"));
      await this.#lanes.idle();
      if (!this.#connection.isClosed) await this.#leave();
    } catch (error) {
      this.#stopping.abort();
      this.#lanes.abortAll(error);
      if (!this.#connection.isClosed) throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
      stay();
      hangUp(this.#client);
    }
  }

  /** The connection is about to close: what only the server can know, it is told now. */
  async #part(): Promise<void> {
    this.#stopping.abort();
    this.#lanes.abortAll(new LatchkeyError("CLOSED", "latchkey was closed"));
    hangUp(this.#client);
    if (this.#connection.client.status !== "ready") return;
    await this.#lanes.counted();
    if (this.#lanes.isIdle) await this.#closed.catch(() => {});
  }

  /** Where the server can't be told, the others wait until this replica counts as dead. */
  async #leave(): Promise<void> {
    try {
      await Promise.all(this.#shares.map(({ group }) => group.leave()));
    } catch (error) {
      const fields = { reaction: this.name, error: safeMessage(error) };
      this.#connection.logger.warn(fields, "the other replicas could not be told that this one left");
    }
  }

  get #isStopped(): boolean {
    return this.#stopping.signal.aborted || this.#connection.isClosed;
  }

  /** Takes what there is room for, then waits for room or for news. */
  async #turn(): Promise<void> {
    let hasMore = false;
    for (const share of this.#shares) {
      if (this.#isStopped) return;
      hasMore = (await this.#take(share)) || hasMore;
    }
    if (this.#lanes.room === 0) await within(this.#tickMs, this.#lanes.moreRoom());
    else if (!hasMore) await this.#news();
  }

  /** @returns true where there may be more to take */
  async #take(share: Share): Promise<boolean> {
    try {
      return await this.#ask(share);
    } catch (error) {
      if (this.#isStopped) return false;
      if (!mayPass(error)) throw error;
      this.#connection.logger.warn({ reaction: this.name, error: safeMessage(error) }, "no answer to take");
      return false;
    }
  }

  async #ask(share: Share): Promise<boolean> {
    const { takeOverMs, types } = this.#settings;
    const { group } = share;
    let taken: Taken;
    try {
      taken = await group.take({ count: this.#lanes.room, takeOverMs, types });
    } catch (error) {
      if (this.#isStopped || replyCode(error) !== "NOGROUP") throw error;
      // Flushed, or lost with a server: whatever the log holds now was not handled by this group.
      const { logger } = this.#connection;
      logger.warn({ reaction: this.name }, "the group is gone, and made anew from the log's start");
      await group.create("start");
      return true;
    }
    for (const event of taken.given) this.#lanes.add(group, event);
    share.delivered = taken.delivered;
    const { onMissed } = this.#settings;
    if (taken.missed !== undefined) tellMissed(this.#connection.logger, this.name, onMissed, taken.missed);
    share.isStale ||= taken.isStale;
    if (share.isStale) await this.#lanes.abortLost();
    share.isStale = false;
    return taken.hasMore;
  }

  get #tickMs(): number {
    const silenceMs = this.#client.options.socketTimeout ?? DEFAULT_SILENCE_MS;
    return Math.max(1, Math.floor(Math.min(LONGEST_TICK_MS, silenceMs / 2, this.#settings.takeOverMs / 3)));
  }

  /** Waits a while for new events. Whoever takes them, all replicas are woken. */
  async #news(): Promise<void> {
    const keys = this.#shares.map(({ group }) => group.keys.events);
    const ids = this.#shares.map(({ delivered }) => delivered);
    try {
      await this.#client.xread("COUNT", 1, "BLOCK", this.#tickMs, "STREAMS", ...keys, ...ids);
    } catch (error) {
      if (this.#isStopped) return;
      if (!isLoss(error) && !mayPass(error) && replyCode(error) !== "UNBLOCKED") throw error;
      await within(this.#tickMs, this.#lanes.moreRoom());
    }
  }
}

/** Tells the others of this replica, in all partitions or none. */
async function join(groups: readonly ReactionGroup[], settings: ReactionSettings): Promise<void> {
  try {
    for (const group of groups) await group.join(settings);
  } catch (error) {
    await Promise.allSettled(groups.map((group) => group.leave()));
    throw error;
  }
}

/** Waits for a promise, but not for longer. */
async function within(ms: number, promise: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const end = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise, end]).finally(() => clearTimeout(timer));
}
