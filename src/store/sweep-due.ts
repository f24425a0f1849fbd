import type { Store } from "./call.js";
import { ask } from "./call-error.js";
import type { SweepTally } from "./swept.js";

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

  /** Fires one batch of what is due at `nowMs` (server time). Returns false at the end, when nothing more is. */
  async step(nowMs: number, tally: SweepTally): Promise<boolean> {
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
    const ids = await this.#ask((client) =>
      client.zrangebyscore(this.#key, "-inf", nowMs, "LIMIT", at, this.#batch),
    );
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
    if (ids.length === this.#batch) return true;
    if (this.#hasFired || this.#start > 0) {
      this.#at = undefined;
      return true;
    }
    return this.#end();
  }

  #end(): false {
    this.#at = undefined;
    this.#start = 0;
    this.#hasFired = false;
    this.#remaining.clear();
    return false;
  }

  #ask<T>(question: Parameters<typeof ask<T>>[2]): Promise<T> {
    return ask(this.#store.connection, `sweep ${this.#store.place.machine}`, question);
  }
}
