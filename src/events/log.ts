import { setTimeout as pause } from "node:timers/promises";
import type { Valkey } from "iovalkey";
import { ConnectError } from "../errors/connect-error.js";
import { GapError } from "../errors/gap-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import type { Connection } from "../valkey/connection.js";
import { DEFAULT_SILENCE_MS, EVENTS } from "../valkey/connection-options.js";
import { isLoss, replyCode, safeMessage } from "../valkey/failure.js";
import { allPartitionKeys, type MachineLocation } from "../valkey/keys.js";
import { onAbort } from "../valkey/on-abort.js";
import { hangUp } from "../valkey/open-clients.js";
import { openInTime } from "../valkey/open-in-time.js";
import { endOf, readBehind, type StreamEntry, startOf } from "../valkey/stream.js";
import { logCursor, parseLogCursor } from "./cursor.js";

/** Where to begin to read, and whether to wait for more. */
export interface EventsOptions {
  /** `"start"`: the oldest change kept. `"end"`: only what comes from now on. Else a cursor. @default "end" */
  readonly after?: "start" | "end" | (string & {});
  /** Waits for further changes for ever; false ends at the log's present end. @default true */
  readonly follow?: boolean;
  /** Ends the iteration when aborted. */
  readonly signal?: AbortSignal;
}

const BATCH = 200;
const RETRY_PAUSE_MS = 20;

interface Entry extends StreamEntry {
  readonly partition: number;
}

/**
 * The durable log of a machine's changes, read from a cursor on: each change once, in order per entity. Its `cursor`
 * stands behind the change given last; keep it to go on there later.
 *
 * A lost connection is made again, without loss or repeat. Closing latchkey ends the iteration, as the signal does.
 *
 * @throws GapError while iterating, when the log was trimmed past the cursor.
 * @throws ConnectError when it can't connect at first, within the time that a call may take.
 */
export class EventLog<C> implements AsyncIterable<C> {
  readonly #connection: Connection;
  readonly #location: MachineLocation;
  readonly #options: EventsOptions;
  readonly #read: (text: string) => C;
  #ids: string[] | undefined;

  constructor(
    connection: Connection,
    location: MachineLocation,
    options: EventsOptions,
    read: (text: string) => C,
  ) {
    this.#connection = connection;
    this.#location = location;
    this.#options = options;
    this.#read = read;
    const { after = "end" } = options;
    if (after !== "start" && after !== "end") this.#ids = parseLogCursor(after, location.partitions);
  }

  /** Behind the change given last; undefined before the first step when reading from the start or the end. */
  get cursor(): string | undefined {
    return this.#ids && logCursor(this.#ids);
  }

  /** Yields the changes in order, from the start that `events` was given. */
  async *[Symbol.asyncIterator](): AsyncGenerator<C, void> {
    const { follow = true, signal } = this.#options;
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
          this.#ids = (this.#ids ?? []).with(entry.partition, entry.id);
          yield this.#read(entry.text);
        }
      }
    } finally {
      leave();
      hangUp(client);
    }
  }

  /** Undefined when stopped meanwhile. */
  async #open(): Promise<Valkey | undefined> {
    try {
      return await openInTime(
        this.#connection,
        () => this.#connection.open(EVENTS),
        () => !this.#isStopped(),
      );
    } catch (error) {
      if (this.#isStopped()) return undefined;
      throw error;
    }
  }

  #isStopped(): boolean {
    return this.#options.signal?.aborted === true || this.#connection.isClosed;
  }

  /** The next entries, waiting for them where `follow`; undefined at the end. Reading twice is harmless. */
  async #next(client: Valkey, follow: boolean): Promise<Entry[] | undefined> {
    while (!this.#isStopped()) {
      try {
        this.#ids ??= await this.#first(client);
        const entries = await this.#batch(client, this.#ids);
        if (entries.length > 0) return entries;
        if (!follow) return undefined;
        await this.#wake(client, this.#ids);
      } catch (error) {
        if (this.#isStopped()) return undefined;
        if (error instanceof GapError) throw error;
        await this.#recover(client, error);
      }
    }
    return undefined;
  }

  /** Waits until reading may go on after an error; throws where it can't. */
  async #recover(client: Valkey, error: unknown): Promise<void> {
    if (client.status === "end") throw new ConnectError(this.#connection.address, "closed");
    const isLost = isLoss(error);
    if (!isLost && !RETRIED.has(replyCode(error)))
      throw new NotExecutedError(
        `the event log of ${this.#location.machine} cannot be read: ${safeMessage(error)}`,
        replyCode(error),
      );
    // A client still calls itself ready for a moment after its socket has gone.
    if (isLost && client.status !== "ready") await untilReadyOrEnded(client);
    else await pause(RETRY_PAUSE_MS);
  }

  async #first(client: Valkey): Promise<string[]> {
    const location = this.#options.after === "start" ? startOf : endOf;
    return Promise.all(allPartitionKeys(this.#location).map(({ events }) => location(client, events)));
  }

  async #batch(client: Valkey, ids: readonly string[]): Promise<Entry[]> {
    const keys = allPartitionKeys(this.#location);
    const parts = await Promise.all(
      keys.map(({ events }, partition) => readBehind(client, events, ids[partition] ?? "", BATCH)),
    );
    if (parts.some(({ gap }) => gap !== undefined)) {
      const left = ids.map((id, partition) => parts[partition]?.gap ?? id);
      throw new GapError(this.#location.machine, logCursor(ids), logCursor(left));
    }
    return parts.flatMap(({ entries }, partition) => entries.map((entry) => ({ ...entry, partition })));
  }

  /**
   * Waits a while for something behind the cursor; what XREAD gives only wakes, `#batch` reads. Not for ever: a server
   * that froze would not be told from one where nothing happens.
   */
  async #wake(client: Valkey, ids: readonly string[]): Promise<void> {
    const keys = allPartitionKeys(this.#location).map(({ events }) => events);
    const waitMs = Math.ceil((client.options.socketTimeout ?? DEFAULT_SILENCE_MS) / 2);
    await client.xread("COUNT", 1, "BLOCK", waitMs, "STREAMS", ...keys, ...ids);
  }
}

/** Replies that pass by themselves: loading, a slow script, a change of roles, a replica without its primary. */
const RETRIED = new Set(["LOADING", "BUSY", "UNBLOCKED", "MASTERDOWN"]);

/** Waits for the client to be connected again, however often that fails, or closed for good. */
async function untilReadyOrEnded(client: Valkey): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      client.off("ready", done).off("end", done);
      resolve();
    };
    client.once("ready", done).once("end", done);
  });
}
