import { scoredIds } from "../contract/flat-reply.js";
import { readIndex } from "../reads/index.js";
import type { Position } from "../reads/position.js";
import type { SweepPartition } from "./partition.js";

/** Limits the number of batches among which replicas spread at random, so that they do not all fire the same batch. */
const MAX_WINDOWS = 8;

/** One pass over what is due, from `stuckUntilMs` to `untilMs`. */
interface Walk {
  readonly untilMs: number;
  /** The number of entries that the pass began with. */
  readonly count: number;
  windows: number;
  /** The number of due entries before the current batch. */
  offset: number;
  /** The last entry that was passed. */
  position?: Position;
  /** The number of entries that were passed and did not fire. */
  stuck: number;
  /** False if the last batch had an offset and fired nothing. Then the next batch has none. */
  hasFired: boolean;
}

/**
 * Reads the due ids of one partition, batch by batch. Any number of replicas may do so at once: each timer fires once,
 * whoever asks, so that no lock and no leader is needed.
 *
 * An entry that a walk has passed is stuck. The next walk begins after `stuckUntilMs`, so that stuck entries delay
 * nothing.
 */
export class DueReader {
  readonly #partition: SweepPartition;
  readonly #size: number;
  #walk: Walk | undefined;
  /** All entries that are due up to here, in server time, are stuck. */
  #stuckUntilMs = Number.NEGATIVE_INFINITY;
  #stuckCount = 0;

  constructor(partition: SweepPartition, size: number) {
    this.#partition = partition;
    this.#size = size;
  }

  /** The number of stuck entries. */
  get stuckCount(): number {
    return this.#stuckCount;
  }

  /** Reads the next batch of the walk, or begins a walk up to `nowMs`, in server time. */
  async next(nowMs: number): Promise<readonly Position[]> {
    if (nowMs < this.#stuckUntilMs) this.forgetStuck(); // the server's clock was set back
    this.#walk ??= await this.#begin(nowMs);
    const { count, windows, position, untilMs, hasFired } = this.#walk;
    if (count === 0) return [];
    const offset = hasFired ? Math.floor(Math.random() * windows) * this.#size : 0;
    this.#walk.offset = offset;
    const { keys } = this.#partition;
    const from = this.#stuckUntilMs + 1;
    if (offset === 0) {
      return readIndex(this.#partition, keys.due, { state: "", from, to: untilMs }, position, this.#size);
    }
    const flat = await this.#partition.ask((client) =>
      client.zrangebyscore(
        keys.due,
        position?.score ?? from,
        untilMs,
        "WITHSCORES",
        "LIMIT",
        offset,
        this.#size,
      ),
    );
    return scoredIds(flat);
  }

  /**
   * Moves the walk past a batch.
   *
   * @param fired the number of its timers that fired
   * @param stuck the number of its entries that stay
   * @returns whether the walk has ended
   */
  pass(entries: readonly Position[], fired: number, stuck: number): boolean {
    const walk = this.#walk;
    if (walk === undefined) return true;
    const isFull = entries.length === this.#size;
    const isAtHead = walk.offset === 0;
    walk.hasFired = isAtHead || fired > 0;
    if (!isFull) walk.windows = 1;
    if (!isAtHead) return false;
    walk.stuck += stuck;
    const last = entries.at(-1);
    if (last !== undefined) walk.position = last;
    if (isFull) return false;
    this.#stuckUntilMs = walk.untilMs;
    this.#stuckCount += walk.stuck;
    this.#walk = undefined;
    return true;
  }

  /** Begins the next walk with all that is due. */
  forgetStuck(): void {
    this.#stuckUntilMs = Number.NEGATIVE_INFINITY;
    this.#stuckCount = 0;
    this.#walk = undefined;
  }

  async #begin(untilMs: number): Promise<Walk> {
    const { due } = this.#partition.keys;
    const edge = this.#stuckUntilMs;
    const [before, after] = await this.#partition.ask((client) =>
      Promise.all([client.zcount(due, "-inf", edge), client.zcount(due, edge + 1, untilMs)]),
    );
    // More than were stuck: another one became due there, such as by a repair.
    const isMore = before > this.#stuckCount;
    if (isMore) this.forgetStuck();
    else this.#stuckCount = before;
    const count = isMore ? before + after : after;
    const windows = Math.max(1, Math.min(MAX_WINDOWS, Math.floor(count / this.#size)));
    return { untilMs, count, windows, offset: 0, stuck: 0, hasFired: true };
  }
}
