import type { Valkey } from "iovalkey";
import { ConnectError } from "../errors/connect-error.js";
import { GapError } from "../errors/gap-error.js";
import { LatchkeyError } from "../errors/latchkey-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import { isAway } from "../valkey/ask.js";
import { PATIENCE } from "../valkey/ask-each.js";
import { mayPassSoon } from "../valkey/connect-error.js";
import { Deadline } from "../valkey/deadline.js";
import { isOffline, mayPass, replyCode } from "../valkey/failure.js";
import { hint } from "../valkey/hint.js";
import { allPartitionKeys, partitionKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { pause } from "../valkey/real-time.js";
import type { SharedClientUser } from "../valkey/shared-client.js";
import { readBehind, type StreamEntry } from "../valkey/stream.js";
import { type LogStart, logCursor, type Positions, startLater } from "./cursor.js";
import { firstPositions, foundPosition } from "./first-positions.js";
import { LogClients } from "./log-clients.js";
import { Outage, type OutageListeners } from "./outage.js";
import { Wakeups } from "./wakeups.js";

const BATCH = 200;
const RETRY_PAUSE_MS = 20;

/** An entry of the event log and its partition. */
export interface LogEntry extends StreamEntry {
  readonly partition: number;
}

type Store = Omit<MachineStore, "definition">;

/**
 * Reads the event log of one machine in batches. All readers of a client share one connection to each server, and none waits
 * for another: each asks for its next batch when it has used up the last one.
 */
export class LogReader implements SharedClientUser {
  readonly #store: Store;
  readonly #clients: LogClients;
  readonly #isUnwanted: () => boolean;
  readonly #wakeups: Wakeups;
  readonly #outage: Outage;
  /** Partitions that are read as soon as their server is connected. */
  readonly #unreachable = new Set<number>();
  /** Positions of partitions that could not be reached at the start. */
  readonly #firsts = new Map<number, string>();
  /** Error of a connection that does not come back. */
  #failure: unknown;
  #interrupt = (): void => {};
  #isClosed = false;

  /** @param isUnwanted returns true if the caller has ended */
  constructor(store: Store, isUnwanted: () => boolean, listeners: OutageListeners) {
    this.#store = store;
    this.#outage = new Outage(store, listeners);
    this.#isUnwanted = isUnwanted;
    this.#clients = new LogClients(store.connection, this, isUnwanted);
    this.#wakeups = new Wakeups(store);
  }

  /**
   * Connects to the servers of all partitions; if it follows the log of a cluster, to those that can be reached soon. Call
   * `close` afterwards.
   *
   * @throws ConnectError if no connection can be made within the time limit of a call
   */
  async open(follow: boolean): Promise<void> {
    const { connection, location } = this.#store;
    const keys = allPartitionKeys(location).map(({ events }) => events);
    await this.#clients.open(keys, follow);
    for (const [partition, key] of keys.entries())
      if (!connection.of(key).isReady) this.#outage.begin(partition, connection.of(key));
  }

  close(): void {
    this.#isClosed = true;
    this.#wakeups.stop();
    this.#clients.close();
  }

  /** Leaves partitions for later whose server is not connected. @returns the others */
  #reachable(partitions: readonly number[]): number[] {
    return partitions.filter((partition) => {
      const { events } = partitionKeys(this.#store.location, partition);
      const route = this.#store.connection.of(events);
      if (route.isReady) {
        this.#outage.end(partition);
        return true;
      }
      if (this.#unreachable.has(partition)) return false;
      this.#unreachable.add(partition);
      void route
        .untilReady(Deadline.in(route.timeoutMs * PATIENCE))
        .catch((error: unknown) => {
          if (!isOffline(error) || route.isEnded) this.#failure = error;
          else if (!this.#isClosed) this.#outage.begin(partition, route);
        })
        .then(() => {
          this.#unreachable.delete(partition);
          this.#wakeups.add(partition);
        });
      return false;
    });
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
  async next(positions: Positions, follow: boolean): Promise<LogEntry[] | undefined> {
    return this.#retry(async () => {
      for (;;) {
        const entries = await this.#batch(positions, this.#reachable(this.#wakeups.take()));
        if (entries.length > 0) {
          if (!follow) this.#wakeups.addAll();
          return entries;
        }
        if (this.#isUnwanted() || (!follow && this.#unreachable.size === 0)) return undefined;
        if (this.#failure !== undefined) throw this.#failure;
        await this.#wakeups.wait();
      }
    });
  }

  /** Returns the positions to start from; undefined if the caller has ended. */
  async first(start: LogStart): Promise<string[] | undefined> {
    const what = `the event log of ${this.#store.location.machine}`;
    return this.#retry(() => firstPositions(this.#store, start, what));
  }

  /** Returns the position of a partition, which it keeps for one that was not reached before. */
  async #found(partition: number, position: string): Promise<string> {
    if (startLater(position) === undefined) return position;
    const { connection, location } = this.#store;
    const { events } = partitionKeys(location, partition);
    const find = (client: Valkey) => foundPosition(connection, client, events, position);
    const first = this.#firsts.get(partition) ?? (await this.#clients.ask(events, find));
    this.#firsts.set(partition, first);
    return first;
  }

  /** Reads until there is a result; returns undefined if the caller has ended. */
  async #retry<T>(read: () => Promise<T>): Promise<T | undefined> {
    while (!this.#isUnwanted()) {
      try {
        return await this.#unlessStopped(read());
      } catch (error) {
        if (this.#isUnwanted()) return undefined;
        this.#wakeups.addAll();
        await this.#unlessStopped(this.#recover(error));
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

  /** Pauses before the log is read again after an error. @throws if a retry cannot help. */
  async #recover(error: unknown): Promise<void> {
    const { connection, location } = this.#store;
    if (connection.isClosed || connection.isEnded) throw new ConnectError(connection.address, "closed");
    const maySucceed = isAway(error) || (error instanceof ConnectError && mayPassSoon(error));
    if (error instanceof LatchkeyError && !maySucceed) throw error;
    if (!(error instanceof LatchkeyError) && !mayPass(error))
      throw new NotExecutedError(
        `the event log of ${location.machine} cannot be read: ${hint(error, connection.place)}`,
        replyCode(error),
      );
    await pause(RETRY_PAUSE_MS);
  }

  async #batch(positions: Positions, partitions: readonly number[]): Promise<LogEntry[]> {
    const parts = await this.#read(positions, partitions);
    const gap = parts.find((part) => part.gap !== undefined)?.gap;
    if (gap !== undefined) {
      // The server may have lost all its data: then its machines are installed again.
      if (gap.reason === "lost") this.#store.connection.verify().catch(() => {});
      // One error reports the gaps of all partitions that can be read.
      const others = [...positions.keys()].filter((partition) => !partitions.includes(partition));
      parts.push(...(await this.#read(positions, this.#reachable(others))));
      const starts = new Map(parts.map((part) => [part.partition, part.gap?.start]));
      const left = positions.map((position, partition) => starts.get(partition) ?? position);
      throw new GapError(this.#store.location.machine, logCursor(positions), logCursor(left), gap.reason);
    }
    for (const { partition, entries } of parts) if (entries.length === BATCH) this.#wakeups.add(partition);
    return parts.flatMap(({ partition, entries }) => entries.map((entry) => ({ ...entry, partition })));
  }

  /** Reads what follows the positions of some partitions. */
  async #read(positions: Positions, partitions: readonly number[]) {
    return Promise.all(
      partitions.map(async (partition) => {
        const { events } = partitionKeys(this.#store.location, partition);
        const position = await this.#found(partition, positions[partition] ?? "");
        const read = (client: Valkey) => readBehind(client, events, position, BATCH);
        return { partition, ...(await this.#clients.ask(events, read)) };
      }),
    );
  }
}
