import { NotExecutedError } from "../errors/outcome-errors.js";
import { readIndex } from "../reads/index.js";
import { notInstalled } from "../reads/installed-machine.js";
import type { Position } from "../reads/position.js";
import type { Connection } from "../valkey/connection.js";
import type { Deadline } from "../valkey/deadline.js";
import { OfflineError } from "../valkey/failure.js";
import { hint } from "../valkey/hint.js";
import type { Recover } from "../valkey/machine-store.js";
import { readServerTime, type ServerTime } from "../valkey/server-clock.js";
import { IndexAudit } from "./index-audit.js";
import { failureCode, type SweepPartition } from "./partition.js";
import { MAX_STUCK, type SweepReporter } from "./report.js";

/** The id under which the machine itself is stuck. */
const MACHINE = "";

/** Sweeps one partition of a machine, a batch at a time. Damage is reported, and delays nothing else. */
export class PartitionSweep {
  readonly #partition: SweepPartition;
  readonly #reporter: SweepReporter;
  readonly #batch: number;
  readonly #recover: Recover | undefined;
  readonly #index: IndexAudit;
  /** The timers that cannot fire, by id, least recently tried first, and the rejection if a permission is missing. */
  readonly #stuck = new Map<string, "stuck" | NotExecutedError>();
  /** The last entry of `due` that was tried. The next batch begins after it, so that stuck entries delay nothing. */
  #position: Position | undefined;
  #rounds = 0;
  /** The round in which the position was last at the start of `due`. */
  #startRound = 0;

  /** @param recover installs the machine again if the server has lost it */
  constructor(partition: SweepPartition, batch: number, reporter: SweepReporter, recover?: Recover) {
    this.#partition = partition;
    this.#reporter = reporter;
    this.#batch = batch;
    this.#recover = recover;
    this.#index = new IndexAudit(partition);
  }

  /** Returns a rejection if the user lacks a permission for one of the timers. */
  get rejection(): NotExecutedError | undefined {
    return [...this.#stuck.values()].find((reason) => reason !== "stuck");
  }

  /** Connection to the server that holds the partition now; undefined if a cluster's server is unreachable. */
  get server(): Connection | undefined {
    const { connection } = this.#partition;
    if (!connection.isCluster) return connection;
    return connection.isReady ? connection.server : undefined;
  }

  /** Waits until the partition has a server, until the deadline at most. */
  async untilReachable(deadline: Deadline): Promise<void> {
    if (this.server === undefined) await this.#partition.connection.untilReady(deadline).catch(() => {});
  }

  /** Explains why a partition without a server is not swept. */
  get offlineError(): NotExecutedError {
    const { connection, location } = this.#partition;
    const why = hint(new OfflineError(), connection.place);
    return new NotExecutedError(`sweep ${location.machine} was not answered: ${why}`, "");
  }

  /**
   * Fires all that is due, and yields after each batch. Also tries a batch of stuck timers again, and checks a part of
   * the index.
   *
   * @param once true to check the whole index, and to try no timer twice
   */
  async *round(once: boolean): AsyncGenerator<void> {
    try {
      this.#rounds += 1;
      let isMore = await this.#fire();
      if (!once) await this.#retry();
      for (; isMore; isMore = await this.#fire()) yield;
      // In each round one partition of a machine checks its index.
      const { partition, location } = this.#partition;
      if (!once && this.#rounds % location.partitions !== partition) return;
      while ((await this.#audit()) && once) yield;
    } catch (error) {
      const why = this.#problemOf(error);
      if (why === undefined) throw error;
      this.#addStuck(MACHINE, why);
    }
  }

  /** Fires the next batch of what is due. @returns whether more may be due */
  async #fire(): Promise<boolean> {
    const { nowMs, errorMs } = await this.#checkKeys();
    const stretch = { state: "", from: Number.NEGATIVE_INFINITY, to: nowMs - errorMs };
    const { due } = this.#partition.keys;
    const entries = await readIndex(this.#partition, due, stretch, this.#position, this.#batch);
    await this.#expire(entries.map(({ id }) => id).filter((id) => !this.#stuck.has(id)));
    this.#position = entries.at(-1) ?? this.#position;
    if (entries.length === this.#batch) return true;
    // A repair may have added an entry before the position. The search for it reads all that is stuck. It therefore
    // waits until as many timers were tried again.
    if ((this.#rounds - this.#startRound) * this.#batch >= this.#stuck.size) {
      this.#position = undefined;
      this.#startRound = this.#rounds;
    }
    return false;
  }

  /** Tries one batch of stuck timers again. */
  async #retry(): Promise<void> {
    // An id that is not text was decoded and cannot be looked up.
    const ids = [...this.#stuck.keys()]
      .filter((id) => id !== MACHINE && !id.includes("\uFFFD"))
      .slice(0, this.#batch);
    if (ids.length === 0) return;
    const { due, index } = this.#partition.keys;
    const [dues, indexes] = await this.#partition.ask((client) =>
      Promise.all([client.zmscore(due, ...ids), client.zmscore(index, ...ids)]),
    );
    const isGone = (at: number): boolean => dues[at] == null && indexes[at] == null;
    for (const [at, id] of ids.entries()) {
      const reason = this.#stuck.get(id) ?? "stuck";
      if (isGone(at)) this.#forget(id);
      else if (this.#stuck.delete(id)) this.#stuck.set(id, reason); // at the end
    }
    await this.#expire(ids.filter((_, at) => !isGone(at)));
  }

  /** Checks the next entities of the index, and sets deadlines that are missing. @returns whether there are more */
  async #audit(): Promise<boolean> {
    const { nowMs } = await this.#checkKeys();
    const { ids, isEnd } = await this.#index.next(nowMs);
    this.#forget(MACHINE); // all that the machine needs can be read
    this.#reporter.addGiven(await this.#expire(ids));
    return !isEnd;
  }

  /** Checks the keys that all entities of the partition share. @returns the server's time */
  async #checkKeys(): Promise<ServerTime> {
    const { keys, location } = this.#partition;
    const [time, [version]] = await this.#partition.ask((client) =>
      Promise.all([
        readServerTime(client),
        client.hmget(keys.machine, "version"),
        // These fail if the key has a wrong type.
        client.zcount(keys.due, 0, 0),
        client.zcount(keys.index, 0, 0),
        client.xlen(keys.events),
      ]),
    );
    if (version == null && !(await this.#recover?.())) throw notInstalled("sweep", location);
    return time;
  }

  /** Explains an error that is damage of the whole partition; undefined for any other. */
  #problemOf(error: unknown): string | undefined {
    const { partition, repairCommand } = this.#partition;
    const code = failureCode(error);
    if (code === "NOMACHINE") return `it is not installed in partition ${partition}; apply it again`;
    if (code === "LAYOUT") return "its definition cannot be read; apply it again, with a higher version";
    if (code !== "WRONGTYPE") return undefined;
    return `a key of partition ${partition} is damaged (${code}); to find it, run ${repairCommand}`;
  }

  /**
   * Expires some entities at once and reports the results.
   *
   * @returns the number of entities whose timer has not expired
   * @throws the error of one that was not answered, after all others were reported
   */
  async #expire(ids: readonly string[]): Promise<number> {
    const { machine } = this.#partition.location;
    let notDue = 0;
    const expireOne = async (id: string): Promise<void> => {
      const result = await this.#partition.expire(id);
      if (result.outcome === "stuck") return this.#addStuck(id, result.why);
      this.#forget(id);
      if (result.outcome === "fired") this.#reporter.addChange(machine, id, result.text);
      else if (result.outcome === "notDue") notDue += 1;
      else if (result.outcome === "denied" && this.#stuck.size < MAX_STUCK)
        this.#stuck.set(id, result.rejection);
    };
    const results = await Promise.allSettled(ids.map(expireOne));
    for (const result of results) if (result.status === "rejected") throw result.reason;
    return notDue;
  }

  #addStuck(id: string, why: string): void {
    const { machine } = this.#partition.location;
    if (this.#stuck.get(id) === "stuck" || !this.#reporter.addStuck({ machine, id, why })) return;
    this.#stuck.set(id, "stuck");
  }

  #forget(id: string): void {
    if (this.#stuck.get(id) === "stuck") this.#reporter.removeStuck(this.#partition.location.machine, id);
    this.#stuck.delete(id);
  }
}
