import { setTimeout as pause } from "node:timers/promises";
import type { Valkey } from "iovalkey";
import { checkFlag, checkFunctions, checkOptions, checkSignal } from "../contract/arguments.js";
import { type Change, parseChange } from "../contract/document.js";
import { ClosedError } from "../errors/closed-error.js";
import { ConnectError } from "../errors/connect-error.js";
import { GapError } from "../errors/gap-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import { DEFAULT_SILENCE_MS, EVENTS } from "../valkey/connection-options.js";
import { isLoss, replyCode, safeMessage } from "../valkey/failure.js";
import { allPartitionKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { onAbort } from "../valkey/on-abort.js";
import { hangUp, untilReadyOrEnded } from "../valkey/open-clients.js";
import { openInTime } from "../valkey/open-in-time.js";
import {
  endPositionOf,
  idOf,
  isLater,
  justBefore,
  positionAfter,
  readBehind,
  type StreamEntry,
  startOf,
} from "../valkey/stream.js";
import { logCursor, type Positions, parseLogCursor, timeOf } from "./cursor.js";
import { reportUnreadable, type UnreadableEntry } from "./unreadable.js";

/** Options of `events`: the position to start from, and whether to wait for more. */
export interface EventsOptions {
  /**
   * `"start"`: the oldest change in the log. `"end"`: only changes from now on. A Date, or ISO 8601 text with a time zone:
   * changes from this time on. Otherwise a cursor. @default "end"
   */
  readonly after?: "start" | "end" | Date | (string & {});
  /** Waits for further changes; if false, the iteration stops at the current end of the log. @default true */
  readonly follow?: boolean;
  /** Stops the iteration when aborted. */
  readonly signal?: AbortSignal;
  /**
   * Called once for each entry that is not a change; the iteration skips it. @default logs a warning; without a logger, a
   * process warning with code `LATCHKEY_UNREADABLE`
   */
  readonly onUnreadable?: (unreadable: UnreadableEntry) => void;
}

const OPTIONS: readonly (keyof EventsOptions)[] = ["after", "follow", "signal", "onUnreadable"];
const BATCH = 200;
const RETRY_PAUSE_MS = 20;

interface Entry extends StreamEntry {
  readonly partition: number;
}

/**
 * Iterates over the durable log of a machine's changes from a cursor on: each change once, in order per entity.
 * `cursor` is the position after the change returned last; store it to continue from there later. It identifies that
 * change, so that a log that lost it is noticed.
 *
 * Reconnects after a lost connection, without loss or repetition. Closing latchkey stops the iteration, as the signal
 * does.
 *
 * @throws GapError while iterating, if changes after the cursor were trimmed from the log, or the log lost the change
 * before the cursor.
 * @throws ConnectError if the first connection cannot be made within the time limit of a call; ClosedError if latchkey
 * was closed before.
 */
export class EventLog<C extends Change = Change> implements AsyncIterable<C> {
  readonly #store: Omit<MachineStore, "definition">;
  readonly #options: EventsOptions;
  readonly #fromMs: number | undefined;
  #positions: string[] | undefined;

  /** @throws ContractError if an option is invalid. */
  constructor(store: Omit<MachineStore, "definition">, options: EventsOptions) {
    checkOptions(options, OPTIONS);
    checkFlag("follow", options.follow);
    checkSignal(options.signal);
    checkFunctions({ onUnreadable: options.onUnreadable });
    this.#store = store;
    this.#options = options;
    const { after = "end" } = options;
    this.#fromMs = timeOf(after);
    if (after !== "start" && after !== "end" && this.#fromMs === undefined)
      this.#positions = parseLogCursor(after, store.location.partitions);
  }

  /** The position after the change returned last; undefined before the first one, unless reading began after a cursor. */
  get cursor(): string | undefined {
    return this.#positions && logCursor(this.#positions);
  }

  /** Yields the changes in order, from the start that `events` was given. */
  async *[Symbol.asyncIterator](): AsyncGenerator<C, void> {
    const { follow = true, signal } = this.#options;
    const { machine } = this.#store.location;
    if (this.#store.connection.isClosed) throw new ClosedError();
    if (this.#isStopped()) return;
    const client = await this.#open();
    if (client === undefined) return;
    const leave = onAbort(signal, () => hangUp(client));
    try {
      for (;;) {
        const entries = await this.#next(client, follow);
        if (entries === undefined) return;
        for (const entry of entries) {
          if (this.#isStopped()) return;
          this.#positions = (this.#positions ?? []).with(entry.partition, positionAfter(entry));
          const change = parseChange<C>(machine, entry.text);
          if (typeof change === "string") this.#skip(entry, change);
          else yield change;
        }
      }
    } finally {
      leave();
      hangUp(client);
    }
  }

  #skip({ partition, id: entry, text }: Entry, problem: string): void {
    const { connection, location } = this.#store;
    const unreadable = { partition, entry, text, problem };
    reportUnreadable(connection.logger, location.machine, unreadable, this.#options.onUnreadable);
  }

  /** Opens a connection; returns undefined if stopped in the meantime. */
  async #open(): Promise<Valkey | undefined> {
    const { connection } = this.#store;
    try {
      return await openInTime(
        connection,
        () => connection.open(EVENTS),
        () => !this.#isStopped(),
      );
    } catch (error) {
      if (this.#isStopped()) return undefined;
      throw error;
    }
  }

  #isStopped(): boolean {
    return this.#options.signal?.aborted === true || this.#store.connection.isClosed;
  }

  /** Reads the next entries, and waits for them if `follow`; returns undefined at the end. Reading twice is harmless. */
  async #next(client: Valkey, follow: boolean): Promise<Entry[] | undefined> {
    while (!this.#isStopped()) {
      try {
        this.#positions ??= await this.#first(client);
        const entries = await this.#batch(client, this.#positions);
        if (entries.length > 0) return entries;
        if (!follow) return undefined;
        await this.#wake(client, this.#positions);
      } catch (error) {
        if (this.#isStopped()) return undefined;
        if (error instanceof GapError) throw error;
        await this.#recover(client, error);
      }
    }
    return undefined;
  }

  /** Waits until the log can be read again after an error. @throws if a retry cannot help. */
  async #recover(client: Valkey, error: unknown): Promise<void> {
    if (client.status === "end") throw new ConnectError(this.#store.connection.address, "closed");
    const isLost = isLoss(error);
    if (!isLost && !RETRIED.has(replyCode(error)))
      throw new NotExecutedError(
        `the event log of ${this.#store.location.machine} cannot be read: ${safeMessage(error)}`,
        replyCode(error),
      );
    // The client's status stays "ready" for a moment after its socket has closed.
    if (isLost && client.status !== "ready") await untilReadyOrEnded(client);
    else await pause(RETRY_PAUSE_MS);
  }

  async #first(client: Valkey): Promise<string[]> {
    const edge = this.#options.after === "start" ? startOf : endPositionOf;
    const edges = await Promise.all(
      allPartitionKeys(this.#store.location).map(({ events }) => edge(client, events)),
    );
    if (this.#fromMs === undefined) return edges;
    const time = justBefore(`${this.#fromMs}-0`);
    return edges.map((end) => (isLater(time, end) ? end : time));
  }

  async #batch(client: Valkey, positions: Positions): Promise<Entry[]> {
    const { location } = this.#store;
    const parts = await Promise.all(
      allPartitionKeys(location).map(({ events }, partition) =>
        readBehind(client, events, positions[partition] ?? "", BATCH),
      ),
    );
    const gap = parts.find((part) => part.gap !== undefined)?.gap;
    if (gap !== undefined) {
      const left = positions.map((position, partition) => parts[partition]?.gap?.start ?? position);
      throw new GapError(location.machine, logCursor(positions), logCursor(left), gap.reason);
    }
    return parts.flatMap(({ entries }, partition) => entries.map((entry) => ({ ...entry, partition })));
  }

  /**
   * Waits for an entry after the cursor. The reply of XREAD only wakes; `#batch` reads. The wait is limited, because a
   * frozen server looks like a quiet one.
   */
  async #wake(client: Valkey, positions: Positions): Promise<void> {
    const keys = allPartitionKeys(this.#store.location).map(({ events }) => events);
    const waitMs = Math.ceil((client.options.socketTimeout ?? DEFAULT_SILENCE_MS) / 2);
    await client.xread("COUNT", 1, "BLOCK", waitMs, "STREAMS", ...keys, ...positions.map(idOf));
  }
}

/** Temporary error replies: loading, a slow script, a change of roles, a replica without its primary. */
const RETRIED = new Set(["LOADING", "BUSY", "UNBLOCKED", "MASTERDOWN"]);
