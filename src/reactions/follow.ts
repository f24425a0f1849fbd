import { checkFunctions, checkOptions } from "../contract/arguments.js";
import type { Change } from "../contract/document.js";
import type { GapError } from "../errors/gap-error.js";
import { endCursor, followLog } from "../events/tail.js";
import { backoffMs } from "../valkey/backoff.js";
import { callListener, reportEnd } from "../valkey/failed-listener.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { onAbort } from "../valkey/on-abort.js";
import { pause } from "../valkey/real-time.js";
import { callHandler, IGNORED_SIGNAL } from "./handler-call.js";
import {
  HANDLER_OPTIONS,
  type Handler,
  type HandlerOptions,
  type HandlerSettings,
  readHandlerSettings,
} from "./handler-settings.js";
import { Slots } from "./slots.js";

/** Options of `follow`. */
export interface FollowOptions<E extends string = string> extends HandlerOptions<E> {
  /**
   * Called at a gap in the event log: events were trimmed before this replica read them, or a failover lost events that it
   * had read. Read the entities again, or discard all that depends on them. Later events are handled.
   */
  readonly onMissed?: (gap: GapError) => void;
}

interface FollowSettings extends HandlerSettings {
  readonly onMissed: ((gap: GapError) => void) | undefined;
}

/** Number of events in memory, waiting or being handled, beyond which no more are read from the log. */
const MOST_QUEUED = 500;

/** Starts to follow the events of a machine in this replica. */
export async function follow<S extends string, F extends object>(
  store: MachineStore,
  handler: Handler<Change<S, F>>,
  options: FollowOptions,
): Promise<Follower> {
  const settings = await readFollowSettings(store, handler, options);
  const cursor = await endCursor(store, `following ${store.location.machine}`);
  return new LogFollower(store, settings, cursor);
}

/** Checks the arguments of `follow` and fills in defaults. @throws ContractError if one is invalid */
export async function readFollowSettings(
  store: MachineStore,
  handler: Handler<never>,
  options: FollowOptions,
): Promise<FollowSettings> {
  checkOptions(options, [...HANDLER_OPTIONS, "onMissed"]);
  const { onMissed } = options;
  checkFunctions({ onMissed });
  return { ...(await readHandlerSettings(store, handler, options)), onMissed };
}

/**
 * A handler that gets every event in this replica. `agents.follow(…)` starts it.
 *
 * @example
 * await using evictor = await agents.follow(({ id }) => cache.delete(id), { onMissed: () => cache.clear() });
 */
export interface Follower extends AsyncDisposable {
  /** Settles when the follower has ended. Rejects if the event log cannot be read, for example without permission. */
  readonly closed: Promise<void>;
  /**
   * Stops, and waits for running handlers, but not longer than until latchkey is closed. Events that are not handled yet
   * are discarded.
   *
   * @throws nothing: errors are reported by `closed`.
   */
  close(): Promise<void>;
  /** Stops at the end of an `await using` block. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A follower of the event log of a server. */
class LogFollower implements Follower {
  readonly #store: MachineStore;
  readonly #settings: FollowSettings;
  readonly #stopping = new AbortController();
  readonly #slots: Slots;
  /** The last event of each entity that has unhandled ones. */
  readonly #ends = new Map<string, Promise<void>>();
  readonly #running = new Set<AbortController>();
  #queued = 0;
  #onRoom: () => void = () => {};
  readonly #closed: Promise<void>;

  /** @param cursor position in the event log after which the first event is handled */
  constructor(store: MachineStore, settings: FollowSettings, cursor: string) {
    this.#store = store;
    this.#settings = settings;
    this.#slots = new Slots(settings.concurrency);
    this.#closed = this.#run(cursor);
    this.#closed.catch((error: unknown) =>
      reportEnd(store.connection.logger, settings.machine, undefined, error),
    );
  }

  get closed(): Promise<void> {
    return this.#closed;
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#closed.catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #run(cursor: string): Promise<void> {
    const { signal, types, onMissed } = this.#settings;
    const { connection } = this.#store;
    const unlisten = onAbort(signal, () => this.#stop(signal?.reason));
    let cancel = (): void => {};
    const closing = new Promise<void>((resolve) => {
      cancel = connection.beforeClose(async () => {
        this.#stop(new Error("latchkey was closed"));
        resolve();
      });
    });
    const stopping = this.#stopping.signal;
    if (signal?.aborted === true) this.#stopping.abort();
    stopping.addEventListener("abort", () => this.#onRoom());
    const onGap = (gap: GapError): void => {
      connection.logger.error(
        { machine: this.#settings.machine, error: gap.message },
        "a follower missed events",
      );
      callListener(connection.logger, `of a follower of ${this.#settings.machine} for a gap`, onMissed, gap);
    };
    try {
      for await (const change of followLog(this.#store, cursor, stopping, onGap)) {
        if (types.length === 0 || types.includes(change.type)) this.#add(change);
        if (this.#queued >= MOST_QUEUED) await this.#room();
      }
      await Promise.race([this.#idle(), closing]);
    } catch (error) {
      this.#stop(error);
      throw error;
    } finally {
      unlisten();
      cancel();
    }
  }

  /** Stops at once: aborts the running handlers. */
  #stop(reason: unknown): void {
    this.#stopping.abort();
    for (const abort of this.#running) abort.abort(reason);
  }

  /** Settles as soon as no handler runs. */
  async #idle(): Promise<void> {
    while (this.#ends.size > 0) await Promise.all(this.#ends.values());
  }

  async #room(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onRoom = resolve;
      if (this.#stopping.signal.aborted) resolve();
    });
  }

  /** Handles a change after the earlier ones of its entity. */
  #add(change: Change): void {
    this.#queued += 1;
    const { id } = change;
    const handled = (this.#ends.get(id) ?? Promise.resolve())
      .then(() => this.#handle(change))
      .finally(() => {
        this.#queued -= 1;
        if (this.#ends.get(id) === handled) this.#ends.delete(id);
        this.#onRoom();
      });
    this.#ends.set(id, handled);
  }

  /** Makes attempts until one succeeds or the follower stops. */
  async #handle(change: Change): Promise<void> {
    const { concurrency, firstDelayMs, longestDelayMs } = this.#settings;
    const stopping = this.#stopping.signal;
    for (let attempt = 1; !stopping.aborted; attempt += 1) {
      const error = await this.#slots.use(concurrency, () => this.#attempt(change, attempt));
      if (error === undefined || stopping.aborted) return;
      this.#log("warn", change, { attempt, error }, "a handler failed");
      await pause(backoffMs(attempt - 1, firstDelayMs, longestDelayMs), undefined, {
        signal: stopping,
      }).catch(
        () => {}, // aborted when the follower stops
      );
    }
  }

  /** @returns the handler's error, undefined if it succeeded */
  async #attempt(change: Change, attempt: number): Promise<string | undefined> {
    if (this.#stopping.signal.aborted) return undefined;
    const abort = new AbortController();
    const onIgnored = () => this.#log("error", change, { attempt }, IGNORED_SIGNAL);
    this.#running.add(abort);
    try {
      return await callHandler(this.#settings, { change, attempt, abort, onIgnored });
    } finally {
      this.#running.delete(abort);
    }
  }

  #log(
    level: "warn" | "error",
    { machine, id, type, version }: Change,
    fields: object,
    message: string,
  ): void {
    this.#store.connection.logger[level]({ machine, id, type, version, ...fields }, message);
  }
}
