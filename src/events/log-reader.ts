import type { Valkey } from "iovalkey";
import { ConnectError } from "../errors/connect-error.js";
import { GapError } from "../errors/gap-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import type { Connection } from "../valkey/connection.js";
import { EVENTS } from "../valkey/connection-options.js";
import { isLoss, replyCode, safeMessage } from "../valkey/failure.js";
import { allPartitionKeys, partitionKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { pause } from "../valkey/real-time.js";
import { SharedClient, type SharedClientUser } from "../valkey/shared-client.js";
import {
  endPositionOf,
  isLater,
  justBefore,
  readBehind,
  type StreamEntry,
  startOf,
} from "../valkey/stream.js";
import { logCursor, type Positions } from "./cursor.js";
import { Wakeups } from "./wakeups.js";

const BATCH = 200;
const RETRY_PAUSE_MS = 20;

/** Temporary error replies: loading, a slow script, a change of roles, a replica without its primary. */
const RETRIED = new Set(["LOADING", "BUSY", "MASTERDOWN"]);

/** An entry of the event log and its partition. */
export interface LogEntry extends StreamEntry {
  readonly partition: number;
}

/** The start of a reader: the oldest entry, the end, or a time in ms. */
export type LogStart = "start" | "end" | number;

type Store = Omit<MachineStore, "definition">;

const sharedClients = new WeakMap<Connection, SharedClient>();

/**
 * Reads the event log of one machine in batches. All readers of a client share one connection, and none waits for another:
 * each asks for its next batch when it has used up the last one.
 */
export class LogReader implements SharedClientUser {
  readonly #store: Store;
  readonly #shared: SharedClient;
  readonly #isUnwanted: () => boolean;
  readonly #wakeups: Wakeups;
  #interrupt = (): void => {};

  /** @param isUnwanted returns true if the caller has ended */
  constructor(store: Store, isUnwanted: () => boolean) {
    const { connection } = store;
    const shared = sharedClients.get(connection) ?? new SharedClient(connection, EVENTS);
    sharedClients.set(connection, shared);
    this.#store = store;
    this.#shared = shared;
    this.#isUnwanted = isUnwanted;
    this.#wakeups = new Wakeups(store);
  }

  /**
   * Connects. Call `close` afterwards.
   *
   * @throws ConnectError if no connection can be made within the time limit of a call
   */
  async open(): Promise<Valkey> {
    return this.#shared.use(
      this,
      async (client) => client,
      () => !this.#isUnwanted(),
    );
  }

  close(): void {
    this.#wakeups.stop();
    this.#shared.leave(this);
  }

  /** Ends the read that is under way, if the caller has ended. */
  stop(): void {
    this.#interrupt();
    this.#wakeups.addAll();
  }

  onEnd(): void {
    this.stop();
  }

  /**
   * Reads the next entries, and waits for them if `follow`; returns undefined at the end. Reading twice is harmless.
   *
   * @throws GapError if entries after the positions are missing
   */
  async next(client: Valkey, positions: Positions, follow: boolean): Promise<LogEntry[] | undefined> {
    return this.#retry(client, async () => {
      for (;;) {
        const entries = await this.#batch(client, positions, this.#wakeups.take());
        if (!follow) this.#wakeups.addAll();
        if (entries.length > 0) return entries;
        if (!follow || this.#isUnwanted()) return undefined;
        await this.#wakeups.wait();
      }
    });
  }

  /** Returns the positions to start from; undefined if the caller has ended. */
  async first(client: Valkey, start: LogStart): Promise<string[] | undefined> {
    const edge = start === "start" ? startOf : endPositionOf;
    const keys = allPartitionKeys(this.#store.location);
    const edges = await this.#retry(client, () =>
      Promise.all(keys.map(({ events }) => edge(client, events))),
    );
    if (typeof start !== "number") return edges;
    const time = justBefore(`${start}-0`);
    return edges?.map((end) => (isLater(time, end) ? end : time));
  }

  /** Reads until there is a result; returns undefined if the caller has ended. */
  async #retry<T>(client: Valkey, read: () => Promise<T>): Promise<T | undefined> {
    while (!this.#isUnwanted()) {
      try {
        return await this.#unlessStopped(read());
      } catch (error) {
        if (this.#isUnwanted()) return undefined;
        if (error instanceof GapError) throw error;
        this.#wakeups.addAll();
        await this.#unlessStopped(this.#recover(client, error));
      }
    }
    return undefined;
  }

  /** Waits for a promise. `stop` ends the waiting, so that a frozen server does not prolong it. */
  async #unlessStopped<T>(work: Promise<T>): Promise<T | undefined> {
    return new Promise<T | undefined>((resolve, reject) => {
      this.#interrupt = () => this.#isUnwanted() && resolve(undefined);
      work.then(resolve, reject);
    });
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
    if (isLost && client.status !== "ready") await this.#shared.untilReady(client);
    else await pause(RETRY_PAUSE_MS);
  }

  async #batch(client: Valkey, positions: Positions, partitions: readonly number[]): Promise<LogEntry[]> {
    const { location } = this.#store;
    const parts = await Promise.all(
      partitions.map(async (partition) => {
        const { events } = partitionKeys(location, partition);
        return { partition, ...(await readBehind(client, events, positions[partition] ?? "", BATCH)) };
      }),
    );
    const gap = parts.find((part) => part.gap !== undefined)?.gap;
    // One error reports the gaps of all partitions.
    if (gap !== undefined && partitions.length < positions.length)
      return this.#batch(client, positions, [...positions.keys()]);
    if (gap !== undefined) {
      // The server may have lost all its data: then its machines are installed again.
      if (gap.reason === "lost") this.#store.connection.verify().catch(() => {});
      const left = positions.map((position, partition) => parts[partition]?.gap?.start ?? position);
      throw new GapError(location.machine, logCursor(positions), logCursor(left), gap.reason);
    }
    for (const { partition, entries } of parts) if (entries.length === BATCH) this.#wakeups.add(partition);
    return parts.flatMap(({ partition, entries }) => entries.map((entry) => ({ ...entry, partition })));
  }
}
