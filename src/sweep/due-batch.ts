import { readIndex } from "../reads/index.js";
import type { Position } from "../reads/position.js";
import { ask } from "../valkey/ask.js";
import { type SweepPartition, sweepName } from "./partition.js";

/** Limits the number of batches among which replicas spread at random, so that they do not all fire the same batch. */
const MAX_WINDOWS = 8;

/** Entries of `due`, by time. */
export interface DueBatch {
  readonly entries: readonly Position[];
  /** The number of due entries that were left out before the first one. */
  readonly offset: number;
}

/** One pass over what is due, from `stuckUntilMs` to `untilMs`. */
interface Walk {
  readonly untilMs: number;
  readonly count: number;
  windows: number;
  /** The last entry that was passed. */
  position?: Position;
  /** The number of entries that were passed and did not fire. */
  stuck: number;
  /** Whether the next batch has no offset, since the last one at an offset fired nothing. */
  isAtHead: boolean;
}

/**
 * Reads the due ids of one partition, batch by batch. Any number of replicas may do so at once: each timer fires once,
 * whoever asks, so that no lock and no leader is needed.
 *
 * An entry that a walk has passed is stuck. The next walk begins after `stuckUntilMs`, so that stuck entries delay
 * nothing. `nextStuck` returns them again.
 */
export class DueReader {
  readonly #partition: SweepPartition;
  readonly #size: number;
  #walk: Walk | undefined;
  /** All entries that are due up to here, in server time, are stuck. */
  #stuckUntilMs = Number.NEGATIVE_INFINITY;
  #stuckCount = 0;
  #stuckPosition: Position | undefined;

  constructor(partition: SweepPartition, size: number) {
    this.#partition = partition;
    this.#size = size;
  }

  get stuckUntilMs(): number {
    return this.#stuckUntilMs;
  }

  /** Reads the next batch of the walk, or begins a walk up to `nowMs`, in server time. */
  async next(nowMs: number): Promise<DueBatch> {
    if (nowMs < this.#stuckUntilMs) this.#forgetStuck(); // the server's clock was set back
    this.#walk ??= await this.#begin(nowMs);
    const { count, windows, position, isAtHead, untilMs } = this.#walk;
    if (count === 0) return { entries: [], offset: 0 };
    const offset = isAtHead ? 0 : Math.floor(Math.random() * windows) * this.#size;
    const entries = await this.#read(this.#stuckUntilMs + 1, untilMs, position, offset);
    return { entries, offset };
  }

  /**
   * Moves the walk past a batch.
   *
   * @param fired the number of its timers that fired
   * @param stuck the number of its entries that stay
   * @returns whether the walk has ended
   */
  pass({ entries, offset }: DueBatch, fired: number, stuck: number): boolean {
    const walk = this.#walk;
    if (walk === undefined) return true;
    const isFull = entries.length === this.#size;
    walk.isAtHead = offset > 0 && fired === 0;
    if (!isFull) walk.windows = 1;
    if (offset > 0) return false;
    walk.stuck += stuck;
    const last = entries.at(-1);
    if (last !== undefined) walk.position = last;
    if (isFull) return false;
    this.#stuckUntilMs = walk.untilMs;
    this.#stuckCount += walk.stuck;
    this.#walk = undefined;
    return true;
  }

  /** Reads the next batch of stuck entries, in a circle. */
  async nextStuck(): Promise<readonly Position[]> {
    if (this.#stuckCount === 0) return [];
    return this.#read(Number.NEGATIVE_INFINITY, this.#stuckUntilMs, this.#stuckPosition, 0);
  }

  /** Moves past a batch of stuck entries. @returns whether it was the last one of the circle */
  passStuck(entries: readonly Position[]): boolean {
    const isLast = entries.length < this.#size;
    this.#stuckPosition = isLast ? undefined : entries.at(-1);
    return isLast;
  }

  /** Begins the next walk with all that is due. */
  #forgetStuck(): void {
    this.#stuckUntilMs = Number.NEGATIVE_INFINITY;
    this.#stuckCount = 0;
    this.#stuckPosition = undefined;
    this.#walk = undefined;
  }

  async #begin(untilMs: number): Promise<Walk> {
    const { connection, keys } = this.#partition;
    const edge = this.#stuckUntilMs;
    const [before, after] = await ask(connection, sweepName(this.#partition), (client) =>
      Promise.all([client.zcount(keys.due, "-inf", edge), client.zcount(keys.due, edge + 1, untilMs)]),
    );
    // More than were stuck: one of them became due there, such as by a repair.
    const isMore = before > this.#stuckCount;
    if (isMore) this.#forgetStuck();
    else this.#stuckCount = before;
    const count = isMore ? before + after : after;
    const windows = Math.max(1, Math.min(MAX_WINDOWS, Math.floor(count / this.#size)));
    return { untilMs, count, windows, stuck: 0, isAtHead: false };
  }

  async #read(
    from: number,
    to: number,
    position: Position | undefined,
    offset: number,
  ): Promise<readonly Position[]> {
    const { keys, connection } = this.#partition;
    const stretch = { state: "", from, to };
    if (offset === 0) return readIndex(this.#partition, keys.due, stretch, position, this.#size);
    const flat = await ask(connection, sweepName(this.#partition), (client) =>
      client.zrangebyscore(keys.due, position?.score ?? from, to, "WITHSCORES", "LIMIT", offset, this.#size),
    );
    return flat.flatMap((id, at) => (at % 2 === 0 ? [{ id, score: Number(flat[at + 1]) }] : []));
  }
}
