import { once } from "node:events";
import type { Valkey } from "iovalkey";
import type { Connection } from "../valkey/connection.js";
import { hangUp } from "../valkey/connection.js";
import { allPartitionKeys, type Place } from "../valkey/keys.js";
import { logCursor, parseLogCursor, START } from "./cursor.js";
import { GapError } from "./gap-error.js";

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

interface Entry {
  readonly partition: number;
  readonly id: string;
  readonly text: string;
}

/**
 * The durable log of a machine's changes, read from a cursor on: each change once, in order per entity. Its `cursor`
 * stands behind the change given last; keep it to go on there later.
 *
 * @throws GapError while iterating, when the log was trimmed past the cursor.
 */
export class EventLog<C> implements AsyncIterable<C> {
  readonly #connection: Connection;
  readonly #place: Place;
  readonly #options: EventsOptions;
  readonly #read: (text: string) => C;
  #ids: string[] | undefined;

  constructor(connection: Connection, place: Place, options: EventsOptions, read: (text: string) => C) {
    this.#connection = connection;
    this.#place = place;
    this.#options = options;
    this.#read = read;
    const { after = "end" } = options;
    if (after === "start") this.#ids = allPartitionKeys(place).map(() => START);
    else if (after !== "end") this.#ids = parseLogCursor(after, place.partitions);
  }

  /** Behind the change given last; undefined before the first step when reading from the end. */
  get cursor(): string | undefined {
    return this.#ids && logCursor(this.#ids);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<C, void> {
    const { follow = true, signal } = this.#options;
    if (signal?.aborted) return;
    const client = await this.#connection.open("events");
    const stop = (): void => hangUp(client);
    signal?.addEventListener("abort", stop, { once: true });
    try {
      for (;;) {
        const entries = await this.#next(client, follow);
        if (entries === undefined) return;
        for (const entry of entries) {
          if (signal?.aborted) return;
          this.#ids = (this.#ids ?? []).with(entry.partition, entry.id);
          yield this.#read(entry.text);
        }
      }
    } finally {
      signal?.removeEventListener("abort", stop);
      hangUp(client);
    }
  }

  /** The next entries, waiting for them where `follow`; undefined at the end. Reading twice is harmless. */
  async #next(client: Valkey, follow: boolean): Promise<Entry[] | undefined> {
    for (;;) {
      try {
        this.#ids ??= await this.#lastIds(client);
        const entries = await this.#batch(client, this.#ids);
        if (entries.length > 0) return entries;
        if (!follow) return undefined;
        await this.#wake(client, this.#ids);
      } catch (error) {
        if (this.#options.signal?.aborted) return undefined;
        if (error instanceof GapError || !isConnectionLoss(client, error)) throw error;
        await untilReady(client);
      }
    }
  }

  async #lastIds(client: Valkey): Promise<string[]> {
    const last = await Promise.all(
      allPartitionKeys(this.#place).map(({ events }) => client.xrevrange(events, "+", "-", "COUNT", 1)),
    );
    return last.map((entries) => entries[0]?.[0] ?? START);
  }

  /**
   * Reads behind the cursor and, in the same transaction, whether the cursor's own entry is still there: trimming goes
   * from the front, so where it is, nothing behind it is gone.
   */
  async #batch(client: Valkey, ids: readonly string[]): Promise<Entry[]> {
    const keys = allPartitionKeys(this.#place);
    const parts = await Promise.all(
      keys.map(async ({ events }, partition) => {
        const id = ids[partition] ?? START;
        const replies = await client
          .multi()
          .xrange(events, id, id)
          .xrange(events, `(${id}`, "+", "COUNT", BATCH)
          .exec();
        const [own, behind] = (replies ?? []).map(([error, reply]) => {
          if (error !== null) throw error;
          return reply as [string, string[]][];
        });
        const first = behind?.[0]?.[0];
        if (first !== undefined && id !== START && own?.length === 0) {
          throw new GapError(
            this.#place.machine,
            logCursor(ids),
            logCursor(ids.with(partition, before(first))),
          );
        }
        return (behind ?? []).map(([entry, fields]) => ({ partition, id: entry, text: fields[1] ?? "" }));
      }),
    );
    return parts.flat();
  }

  /** Waits until something stands behind the cursor; what XREAD gives only wakes, `#batch` reads. */
  async #wake(client: Valkey, ids: readonly string[]): Promise<void> {
    const keys = allPartitionKeys(this.#place).map(({ events }) => events);
    await client.xread("COUNT", 1, "BLOCK", 0, "STREAMS", ...keys, ...ids);
  }
}

/** The id just before another one. */
function before(id: string): string {
  const [ms = "0", sequence = "0"] = id.split("-");
  if (sequence !== "0") return `${ms}-${BigInt(sequence) - 1n}`;
  return ms === "0" ? START : `${BigInt(ms) - 1n}-18446744073709551615`;
}

function isConnectionLoss(client: Valkey, error: unknown): boolean {
  if (client.status === "end") return false;
  const name = error instanceof Error ? `${error.name} ${error.message}` : "";
  return /MaxRetriesPerRequest|Connection is closed|isn't writeable|^ReplyError (LOADING|UNBLOCKED|READONLY)/.test(
    name,
  );
}

async function untilReady(client: Valkey): Promise<void> {
  if (client.status === "ready") return;
  await Promise.race([
    once(client, "ready"),
    once(client, "end").then(() => Promise.reject(new Error("the connection to the event log was closed"))),
  ]);
}
