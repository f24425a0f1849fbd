import { randomUUID } from "node:crypto";
import { NotExecutedError } from "../errors/outcome-errors.js";
import { partitionOf } from "../valkey/partition.js";
import { readServerTime } from "../valkey/server-clock.js";
import { DueReader } from "./due-batch.js";
import { type ExpiryResult, expire } from "./expire.js";
import { IndexWalk } from "./index-walk.js";
import type { SweepPartition } from "./partition.js";
import { MAX_STUCK, type SweepReporter } from "./report.js";
import { StuckSet } from "./stuck-set.js";

/** The progress of a step: all is done, there is more, or there is more that has been due for long. */
export type Progress = "end" | "more" | "late";

/** A timer that has been due for longer is late, in ms. */
const LATE_MS = 5_000;

/** Aborts a step after no timer of the partition could fire and this was reported. */
class PartitionDamagedError extends Error {
  override readonly name = "PartitionDamagedError";
}

/** Returns an id of this partition that no entity has. */
function unusedId({ location, partition }: SweepPartition): string {
  for (;;) {
    const id = randomUUID();
    if (partitionOf(id, location.partitions) === partition) return id;
  }
}

/** Sweeps one partition of a machine, one batch per step. Reports damage, which ends a step and no more. */
export class PartitionSweep {
  readonly #partition: SweepPartition;
  readonly #reporter: SweepReporter;
  readonly #batch: number;
  readonly #due: DueReader;
  readonly #index: IndexWalk;
  readonly #stuck: StuckSet;
  /** The number of retries since the last walk over all that is due. */
  #retries = 0;
  /** True if the keys that all entities share are damaged, so that no timer can fire. */
  #isDamaged = false;
  /** The problem of the machine that was reported. */
  #problem: string | undefined;

  constructor(partition: SweepPartition, batch: number, reporter: SweepReporter) {
    this.#partition = partition;
    this.#reporter = reporter;
    this.#batch = batch;
    this.#due = new DueReader(partition, batch);
    this.#index = new IndexWalk(partition);
    this.#stuck = new StuckSet(partition.location.machine, reporter);
  }

  /** Returns a rejection if the user lacks a permission for one of the timers. */
  get rejection(): NotExecutedError | undefined {
    return this.#stuck.rejection;
  }

  /** Fires one batch of what is due. */
  fire(): Promise<Progress> {
    return this.#step(async () => {
      const { nowMs, errorMs } = await this.#partition.ask(readServerTime);
      const dueMs = nowMs - errorMs; // what is due by this estimate is due for the server too
      const entries = await this.#due.next(dueMs);
      const { fired, stuck, denied } = await this.#expire(entries.map(({ id }) => id));
      if (this.#due.pass(entries, fired, stuck + denied)) return "end";
      const isLate = fired > 0 && dueMs - (entries[0]?.score ?? dueMs) > LATE_MS;
      return isLate ? "late" : "more";
    });
  }

  /** Tries one batch of stuck timers again, and continues for as long as some of them fire. */
  retry(): Promise<Progress> {
    return this.#step(async () => {
      this.#retries += 1;
      if (this.#due.stuckCount > this.#stuck.size && this.#retries * this.#batch > MAX_STUCK) {
        // Not all are remembered. The others get their turn by a walk over all that is due.
        this.#due.forgetStuck();
        this.#retries = 0;
      }
      // An id that is not text was decoded and cannot be looked up.
      const ids = this.#stuck.take(this.#batch).filter((id) => !id.includes("\uFFFD"));
      if (ids.length === 0) return "end";
      const { due, index } = this.#partition.keys;
      const [dues, indexes] = await this.#partition.ask((client) =>
        Promise.all([client.zmscore(due, ...ids), client.zmscore(index, ...ids)]),
      );
      const isGone = (at: number): boolean => dues[at] == null && indexes[at] == null;
      for (const [at, id] of ids.entries()) if (isGone(at)) this.#stuck.remove(id);
      const { fired } = await this.#expire(ids.filter((_, at) => !isGone(at)));
      return fired > 0 ? "more" : "end";
    });
  }

  /** Checks the next entities of the index, and gives those that lack their deadline theirs. */
  audit(): Promise<Progress> {
    return this.#step(async () => {
      const { nowMs } = await this.#partition.ask(readServerTime);
      const step = await this.#index.next(nowMs);
      if (step === undefined) {
        // Timers fire without the definition, but missing deadlines cannot be found.
        if (!(await this.#check()))
          this.#setProblem("its definition cannot be read; apply it again, with a higher version");
        return "end";
      }
      this.#setProblem(undefined);
      const { notDue } = await this.#expire(step.ids);
      this.#reporter.addGiven(notDue);
      return this.#index.pass(step) ? "end" : "more";
    });
  }

  /** Runs a step, unless the partition is damaged. */
  async #step(step: () => Promise<Progress>): Promise<Progress> {
    try {
      if (this.#isDamaged && (await this.#check())) return "end";
      return await step();
    } catch (error) {
      if (error instanceof NotExecutedError && error.reply === "WRONGTYPE") await this.#check();
      else if (!(error instanceof PartitionDamagedError)) throw error;
      return "end";
    }
  }

  /**
   * Expires some entities at once and reports the results.
   *
   * @returns the number of results by outcome
   * @throws NotExecutedError if one of them was not answered, after all results were reported
   */
  async #expire(ids: readonly string[]): Promise<Readonly<Record<ExpiryResult["outcome"], number>>> {
    const { machine } = this.#partition.location;
    const counts = { fired: 0, notDue: 0, gone: 0, stuck: 0, denied: 0, unanswered: 0 };
    const results = await Promise.all(
      ids.map(async (id) => {
        const result = await expire(this.#partition, id);
        if (result.outcome === "fired") this.#reporter.addChange(machine, id, result.text);
        return result;
      }),
    );
    const isSuspect = results.some(
      (result) => result.outcome === "stuck" && (result.code === "WRONGTYPE" || result.code === "NOMACHINE"),
    );
    const isDamaged = isSuspect && (await this.#check());
    let failure: Error | undefined = isDamaged ? new PartitionDamagedError() : undefined;
    for (const [at, result] of results.entries()) {
      const id = ids[at] ?? "";
      if (result.outcome === "stuck") {
        // The damage of the partition was reported, or the machine was installed again meanwhile.
        if (result.code !== undefined && (isDamaged || result.code === "NOMACHINE")) continue;
        this.#stuck.addStuck(id, result.why);
      } else if (result.outcome === "denied") this.#stuck.addRejected(id, result.error);
      else if (result.outcome === "unanswered") failure ??= result.error;
      else this.#stuck.remove(id);
      counts[result.outcome] += 1;
    }
    if (failure !== undefined) throw failure;
    return counts;
  }

  /**
   * Checks the keys that all entities share, by an EXPIRE call for an id that does not exist.
   *
   * @returns whether no timer can fire
   */
  async #check(): Promise<boolean> {
    const result = await expire(this.#partition, unusedId(this.#partition));
    if (result.outcome === "unanswered") throw result.error;
    const wasDamaged = this.#isDamaged;
    this.#isDamaged = result.outcome === "stuck";
    const { partition, repairCommand } = this.#partition;
    if (result.outcome === "stuck") {
      this.#setProblem(
        result.code === "NOMACHINE"
          ? `it is not installed in partition ${partition}; apply it again`
          : `a key of partition ${partition} is damaged (${result.code}); to find it, run ${repairCommand}`,
      );
    } else if (wasDamaged) this.#setProblem(undefined);
    return this.#isDamaged;
  }

  /** Reports a problem of the machine, unless it has one already. */
  #setProblem(why: string | undefined): void {
    const { machine } = this.#partition.location;
    if (why !== undefined && this.#problem === undefined) this.#reporter.addStuck({ machine, id: "", why });
    if (why === undefined && this.#problem !== undefined) this.#reporter.removeStuck(machine, "");
    this.#problem = why;
  }
}
