import { scoredIds } from "../contract/flat-reply.js";
import { ask } from "../valkey/ask.js";
import type { PartitionKeys } from "../valkey/keys.js";
import type { ServerTime } from "../valkey/server-clock.js";
import type { SweepAsk } from "./expire-batch.js";
import { sweepOf } from "./partition.js";

/** How far a walk is: at its end, with more to come, or with more that has been due for long already. */
export type Progress = "end" | "more" | "late";

/** Due for longer than this is late, in ms. */
const LATE_MS = 5_000;
/** Where a long backlog is begun: at one of so many batches, so that replicas do not all fire the same. */
const STARTS = 8;

/**
 * One partition's entities that are due, batch by batch. Any number of replicas may walk at once: each entity fires
 * once, whoever asks for it, so that a walk needs neither lock nor leader.
 *
 * What stays behind a walk is stuck. The next one begins behind it, so that however much is stuck, it holds up nothing;
 * `again` comes back to it, a batch a round.
 */
export class DueWalk {
  readonly #asker: SweepAsk;
  readonly #batch: number;
  /** Those of this walk that were asked for and did not fire, with their places. */
  readonly #asked = new Map<string, number>();
  /** Those of them that are still due: they can't fire. */
  readonly #remaining = new Set<string>();
  #at: number | undefined;
  #start = 0;
  #hasFired = false;
  /** Up to here, in server time, is stuck what is due; undefined where all is to be walked. */
  #edge: number | undefined;
  /** How many are stuck up to there. */
  #stuck = 0;
  #againAt = 0;
  /** The machine's version with which they are stuck. */
  #version: string | undefined;

  constructor(asker: SweepAsk, batch: number) {
    this.#asker = asker;
    this.#batch = batch;
  }

  /** Fires one batch of what has come due. */
  async step({ nowMs: aboutNowMs, errorMs }: ServerTime): Promise<Progress> {
    const nowMs = aboutNowMs - errorMs; // what is due by then is due for the server too
    if (this.#edge !== undefined && nowMs < this.#edge) this.#forget(); // its clock was set back
    if (this.#at === undefined) {
      const count = await this.#count(nowMs);
      if (count === 0) {
        this.#remaining.clear();
        return this.#end(nowMs);
      }
      const starts = Math.min(STARTS, Math.floor(count / this.#batch));
      // A walk that found nothing to fire behind the head looks at the head.
      const isHead = starts < 2 || (this.#start > 0 && !this.#hasFired);
      this.#start = isHead ? 0 : Math.floor(Math.random() * starts) * this.#batch;
      this.#at = this.#start;
      this.#hasFired = false;
    }
    const at = this.#at;
    const read = await this.#read(this.#from, nowMs, at);
    const known = read.filter(({ id, score }) => this.#asked.get(id) === score);
    for (const { id } of known) this.#remaining.add(id);
    const fresh = read.filter(({ id, score }) => this.#asked.get(id) !== score);
    const { came, away } = await this.#ask(fresh);
    for (const [location, { id, score }] of fresh.entries()) {
      const its = came[location];
      if (its === "fired") this.#hasFired = true;
      if (its === "fired" || its === "away") continue;
      this.#asked.set(id, score);
      if (its === "stuck") this.#remaining.add(id); // else its place was put right, or taken away
    }
    if (away !== undefined) throw away;
    // What fired has left, and what stood behind it moved up.
    this.#at = at + read.filter(({ id }) => this.#remaining.has(id)).length;
    const isFull = read.length === this.#batch;
    if (!isFull && !this.#hasFired && this.#start === 0) return this.#end(nowMs);
    if (!isFull) this.#at = undefined; // what came due meanwhile, or stands before the start
    const first = read[0]?.score ?? nowMs;
    return this.#hasFired && nowMs - first > LATE_MS ? "late" : "more";
  }

  /** Asks for one batch of those that are stuck once more; goes on as long as that helps. */
  async again(): Promise<Progress> {
    if (this.#edge === undefined || this.#stuck === 0) return "end";
    const at = this.#againAt;
    const [version] = await this.#query((client) => client.hmget(this.#keys.machine, "version"));
    const isNewer = this.#version !== undefined && version !== this.#version;
    this.#version = version ?? undefined;
    if (isNewer) {
      this.#forget();
      return "end";
    }
    const read = await this.#read("-inf", this.#edge, at);
    const { came, away } = await this.#ask(read);
    if (away !== undefined) throw away;
    const left = came.filter((its) => its === "fired" || its === "gone").length;
    const isFull = read.length === this.#batch;
    this.#againAt = isFull ? at + read.length - left : 0;
    return isFull && came.includes("fired") ? "more" : "end";
  }

  /** How many there are to walk. More up to the edge than were stuck there: then all are. */
  async #count(nowMs: number): Promise<number> {
    const { due } = this.#keys;
    const edge = this.#edge;
    const [stuck, count] = await this.#query((client) =>
      Promise.all([
        edge === undefined ? 0 : client.zcount(due, "-inf", edge),
        client.zcount(due, this.#from, nowMs),
      ]),
    );
    if (stuck <= this.#stuck) {
      this.#stuck = stuck;
      return count;
    }
    this.#forget();
    return stuck + count;
  }

  get #from(): string {
    return this.#edge === undefined ? "-inf" : `(${this.#edge}`;
  }

  async #read(from: string, to: number, at: number): Promise<{ id: string; score: number }[]> {
    const flat = await this.#query((client) =>
      client.zrangebyscore(this.#keys.due, from, to, "WITHSCORES", "LIMIT", at, this.#batch),
    );
    return scoredIds(flat);
  }

  #end(nowMs: number): "end" {
    this.#edge = nowMs;
    this.#stuck += this.#remaining.size;
    this.#at = undefined;
    this.#start = 0;
    this.#hasFired = false;
    this.#asked.clear();
    this.#remaining.clear();
    return "end";
  }

  /** Walks all that is due from now on. */
  #forget(): void {
    this.#edge = undefined;
    this.#stuck = 0;
    this.#againAt = 0;
    this.#at = undefined;
  }

  #ask(read: readonly { id: string }[]): ReturnType<SweepAsk["ask"]> {
    return this.#asker.ask(
      read.map(({ id }) => id),
      this.#keys.due,
    );
  }

  #query<T>(question: Parameters<typeof ask<T>>[2]): Promise<T> {
    const { part } = this.#asker;
    return ask(part.connection, sweepOf(part), question);
  }

  get #keys(): PartitionKeys {
    return this.#asker.part.keys;
  }
}
