import type { Store } from "./call.js";
import { ask } from "./call-error.js";
import type { SweepTally } from "./swept.js";

/** How far a walk is: at its end, with more to come, or with more that has been due for long already. */
export type Progress = "end" | "more" | "late";

/** Due for longer than this is late, in ms. */
const LATE_MS = 5_000;
/** Where a long backlog is begun: at one of so many batches, so that replicas do not all fire the same. */
const STARTS = 8;

/**
 * One partition's entities that are due, batch by batch. Any number of replicas may walk at once: each entity fires
 * once, whoever asks for it, so that a walk needs neither lock nor leader.
 */
export class DueWalk {
  readonly #store: Store;
  readonly #key: string;
  readonly #batch: number;
  /** Those of this walk that were asked for and are still due: they can't fire. */
  readonly #remaining = new Set<string>();
  #at: number | undefined;
  #start = 0;
  #hasFired = false;

  /** @param key the partition's due */
  constructor(store: Store, key: string, batch: number) {
    this.#store = store;
    this.#key = key;
    this.#batch = batch;
  }

  /** Fires one batch of what is due at `nowMs` (server time). */
  async step(nowMs: number, tally: SweepTally): Promise<Progress> {
    if (this.#at === undefined) {
      const count = await this.#ask((client) => client.zcount(this.#key, "-inf", nowMs));
      if (count === 0) return this.#end();
      const starts = Math.min(STARTS, Math.floor(count / this.#batch));
      // A walk that found nothing to fire behind the head looks at the head.
      const isHead = starts < 2 || (this.#start > 0 && !this.#hasFired);
      this.#start = isHead ? 0 : Math.floor(Math.random() * starts) * this.#batch;
      this.#at = this.#start;
      this.#hasFired = false;
    }
    const at = this.#at;
    const flat = await this.#ask((client) =>
      client.zrangebyscore(this.#key, "-inf", nowMs, "WITHSCORES", "LIMIT", at, this.#batch),
    );
    const ids = flat.filter((_, place) => place % 2 === 0);
    const fresh = ids.filter((id) => !this.#remaining.has(id));
    await Promise.all(
      fresh.map(async (id) => {
        const outcome = await tally.expire(this.#store, id);
        if (outcome === "OK") this.#hasFired = true;
        if (outcome !== "OK" && outcome !== "NOTFOUND") this.#remaining.add(id);
      }),
    );
    // What fired has left, and what stood behind it moved up.
    this.#at = at + ids.filter((id) => this.#remaining.has(id)).length;
    const isFull = ids.length === this.#batch;
    if (!isFull && !this.#hasFired && this.#start === 0) return this.#end();
    if (!isFull) this.#at = undefined; // what came due meanwhile, or stands before the start
    return this.#hasFired && nowMs - Number(flat[1]) > LATE_MS ? "late" : "more";
  }

  #end(): "end" {
    this.#at = undefined;
    this.#start = 0;
    this.#hasFired = false;
    this.#remaining.clear();
    return "end";
  }

  #ask<T>(question: Parameters<typeof ask<T>>[2]): Promise<T> {
    return ask(this.#store.connection, `sweep ${this.#store.place.machine}`, question);
  }
}
