import { ContractError } from "../errors/latchkey-error.js";
import type { NotExecutedError } from "../errors/outcome-errors.js";
import { readIndex } from "../reads/index.js";
import type { Position } from "../reads/position.js";
import { readServerTime, type ServerTime } from "../valkey/server-clock.js";
import { IndexWalk } from "./index-walk.js";
import { codeOf, type SweepPartition } from "./partition.js";
import { MAX_STUCK, type SweepReporter } from "./report.js";

/** The id under which the machine itself is stuck. */
const MACHINE = "";

/** Sweeps one partition of a machine, one batch per step. Damage is reported and ends a step, no more. */
export class PartitionSweep {
  readonly #partition: SweepPartition;
  readonly #reporter: SweepReporter;
  readonly #batch: number;
  readonly #index: IndexWalk;
  /** The timers that cannot fire, by id, least recently tried first. The value is the reason if it is a permission. */
  readonly #stuck = new Map<string, NotExecutedError | undefined>();
  /** The last entry of `due` that was tried. Stuck entries are before it, so that they delay nothing. */
  #position: Position | undefined;
  /** The number of rounds since `fire` began at the start of `due`. */
  #rounds = 0;

  constructor(partition: SweepPartition, batch: number, reporter: SweepReporter) {
    this.#partition = partition;
    this.#reporter = reporter;
    this.#batch = batch;
    this.#index = new IndexWalk(partition);
  }

  /** Returns a rejection if the user lacks a permission for one of the timers. */
  get rejection(): NotExecutedError | undefined {
    return [...this.#stuck.values()].find((rejection) => rejection !== undefined);
  }

  /** Fires the next batch of what is due. @returns whether more may be due */
  fire(): Promise<boolean> {
    return this.#step(async ({ nowMs, errorMs }) => {
      const { due } = this.#partition.keys;
      const stretch = { state: "", from: Number.NEGATIVE_INFINITY, to: nowMs - errorMs };
      const entries = await readIndex(this.#partition, due, stretch, this.#position, this.#batch);
      await this.#expire(entries.map(({ id }) => id).filter((id) => !this.#stuck.has(id)));
      this.#position = entries.at(-1) ?? this.#position;
      if (entries.length === this.#batch) return true;
      // An entry may have come before the position, such as by a repair. To look for it costs a read of all that is
      // stuck, so it waits until `retry` has tried as many.
      this.#rounds += 1;
      if (this.#rounds * this.#batch >= this.#stuck.size) {
        this.#position = undefined;
        this.#rounds = 0;
      }
      return false;
    });
  }

  /** Tries one batch of stuck timers again. @returns true if some of them fired: then others may too */
  retry(): Promise<boolean> {
    return this.#step(async () => {
      const ids = [...this.#stuck.keys()].filter(isText).slice(0, this.#batch);
      if (ids.length === 0) return false;
      const { due, index } = this.#partition.keys;
      const [dues, indexes] = await this.#partition.ask((client) =>
        Promise.all([client.zmscore(due, ...ids), client.zmscore(index, ...ids)]),
      );
      const isGone = (_: string, at: number): boolean => dues[at] == null && indexes[at] == null;
      for (const id of ids.filter(isGone)) this.#forget(id);
      const left = ids.filter((id) => this.#stuck.has(id));
      for (const id of left) {
        const rejection = this.#stuck.get(id);
        this.#stuck.delete(id);
        this.#stuck.set(id, rejection); // at the end
      }
      return (await this.#expire(left)).fired > 0;
    });
  }

  /** Checks the next entities of the index, and sets deadlines that are missing. @returns whether there are more */
  audit(): Promise<boolean> {
    return this.#step(async ({ nowMs }) => {
      const { ids, isEnd } = await this.#index.next(nowMs);
      this.#forget(MACHINE); // all that a machine needs can be read
      const { notDue } = await this.#expire(ids);
      this.#reporter.addGiven(notDue);
      return !isEnd;
    });
  }

  /** Runs a step, unless no timer of the partition can fire: that is reported. */
  async #step(step: (time: ServerTime) => Promise<boolean>): Promise<boolean> {
    try {
      return await step(await this.#checkKeys());
    } catch (error) {
      const why = this.#problemOf(error);
      if (why === undefined) throw error;
      this.#addStuck(MACHINE, why);
      return false;
    }
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
    if (version == null) throw new ContractError("NOMACHINE", `${location.machine} is not installed`);
    return time;
  }

  /** Explains an error that is damage of the machine; undefined for any other. */
  #problemOf(error: unknown): string | undefined {
    const { partition, repairCommand } = this.#partition;
    const code = codeOf(error);
    if (code === "NOMACHINE") return `it is not installed in partition ${partition}; apply it again`;
    if (code === "LAYOUT") return "its definition cannot be read; apply it again, with a higher version";
    if (code !== "WRONGTYPE") return undefined;
    return `a key of partition ${partition} is damaged (${code}); to find it, run ${repairCommand}`;
  }

  /**
   * Expires some entities at once and reports the results.
   *
   * @throws NotExecutedError if one of them was not answered, after all results were reported
   */
  async #expire(ids: readonly string[]): Promise<{ readonly fired: number; readonly notDue: number }> {
    const { machine } = this.#partition.location;
    const counts = { fired: 0, notDue: 0, gone: 0, stuck: 0, denied: 0, unanswered: 0 };
    let failure: NotExecutedError | undefined;
    const expireOne = async (id: string): Promise<void> => {
      const result = await this.#partition.expire(id);
      counts[result.outcome] += 1;
      if (result.outcome === "unanswered") failure = result.error;
      else if (result.outcome === "stuck") this.#addStuck(id, result.why);
      else if (result.outcome === "denied") this.#addDenied(id, result.error);
      else this.#forget(id);
      if (result.outcome === "fired") this.#reporter.addChange(machine, id, result.text);
    };
    await Promise.all(ids.map(expireOne));
    if (failure !== undefined) throw failure;
    return counts;
  }

  #addStuck(id: string, why: string): void {
    const { machine } = this.#partition.location;
    if (this.#isStuck(id) || !this.#reporter.addStuck({ machine, id, why })) return;
    this.#stuck.set(id, undefined);
  }

  #addDenied(id: string, rejection: NotExecutedError): void {
    if (!this.#stuck.has(id) && this.#stuck.size < MAX_STUCK) this.#stuck.set(id, rejection);
  }

  #forget(id: string): void {
    if (this.#isStuck(id)) this.#reporter.removeStuck(this.#partition.location.machine, id);
    this.#stuck.delete(id);
  }

  /** Returns whether a timer is stuck for another reason than a permission. */
  #isStuck(id: string): boolean {
    return this.#stuck.has(id) && this.#stuck.get(id) === undefined;
  }
}

/** Excludes the machine itself, and ids that are not text: those were decoded and cannot be looked up. */
function isText(id: string): boolean {
  return id !== MACHINE && !id.includes("\uFFFD");
}
