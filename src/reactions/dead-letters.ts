import type { Valkey } from "iovalkey";
import { checkList } from "../contract/arguments.js";
import { parseChange } from "../contract/document.js";
import { pairsOf } from "../contract/flat-reply.js";
import { ask, type Limits, limited, type ReadOptions } from "../valkey/ask.js";
import { reactionKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { createGroup } from "./create-group.js";
import { checkReactionName } from "./settings.js";

/**
 * An event that is no longer retried, an entry of the log that is not a change, or a gap: events that were trimmed from the
 * log before they were handled.
 */
export interface DeadLetter {
  /** ID for `retry` and `drop`. */
  readonly id: string;
  /** The event's document as text; null for a gap and for an entry that is not a change. */
  readonly text: string | null;
  /** Error of the last attempt, or a description of the entry or the gap. */
  readonly error: string;
  /** Number of attempts. */
  readonly attempts: number;
  /** Server time of the first attempt in ms; undefined for a gap. */
  readonly firstMs: number | undefined;
  /** Server time of the last attempt in ms. */
  readonly lastMs: number;
  /** True while the event waits for a retry that `retry` requested. */
  readonly isRetried: boolean;
}

/** A consumer that no replica uses: the next `take` of any replica reassigns its events. */
const NOBODY = "retry";
const PAGE = 100;

/**
 * Dead letters of a reaction: events whose handler failed too often, and gaps in the log. `agents.deadLetters(name)`
 * makes it.
 *
 * @example
 * const letters = agents.deadLetters("cleanup");
 * for await (const { id, error } of letters) console.log(id, error);
 * await letters.retry(["0:1763807223197-0"]);
 */
export class DeadLetters implements AsyncIterable<DeadLetter> {
  readonly reaction: string;
  readonly #store: MachineStore;
  readonly #limits: Limits;

  /** @throws ContractError if an argument is invalid */
  constructor(store: MachineStore, reaction: string, options: ReadOptions = {}) {
    this.reaction = checkReactionName(reaction);
    this.#store = store;
    const { timeoutMs, signal } = limited(store, options);
    this.#limits = { timeoutMs, signal };
  }

  /**
   * Iterates over all dead letters, oldest first per partition. Ends when the signal is aborted.
   *
   * @throws NotExecutedError if the server does not reply.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<DeadLetter, void> {
    try {
      yield* this.#read();
    } catch (error) {
      if (!this.#limits.signal?.aborted) throw error;
    }
  }

  async *#read(): AsyncGenerator<DeadLetter, void> {
    for (let partition = 0; partition < this.#store.location.partitions; partition += 1) {
      const key = this.#key(partition);
      for (let from = "-"; ; ) {
        const entries = await this.#ask(key, (client) => client.xrange(key, from, "+", "COUNT", PAGE));
        const [first, last] = [entries[0]?.[0], entries.at(-1)?.[0]];
        if (first === undefined || last === undefined) break;
        const pending = await this.#ask(key, (client) =>
          client.xpending(key, this.reaction, first, last, PAGE),
        );
        const retried = new Set((pending as [id: string, ...unknown[]][]).map(([id]) => id));
        for (const [id, fields] of entries) yield this.#letter(`${partition}:${id}`, fields, retried.has(id));
        from = `(${last}`;
      }
    }
  }

  /**
   * Delivers dead letters to the reaction again, each with a full number of attempts. They remain dead letters until they
   * are handled.
   *
   * @returns the IDs that are retried: without unknown IDs, gaps and entries that are not changes
   */
  async retry(ids: readonly string[]): Promise<string[]> {
    const hasEvent = (fields: readonly string[]): boolean => this.#eventOf(new Map(pairsOf(fields))) !== null;
    return this.#each(ids, hasEvent, async (client, key, id) => {
      await createGroup(client, key, this.reaction, "0");
      // The largest idle time: a letter that a replica is retrying already stays with it.
      await client.xclaim(key, this.reaction, NOBODY, Number.MAX_SAFE_INTEGER, id, "FORCE", "JUSTID");
    });
  }

  /** Removes dead letters. @returns the IDs that existed */
  async drop(ids: readonly string[]): Promise<string[]> {
    return this.#each(
      ids,
      () => true,
      (client, key, id) => client.xdel(key, id),
    );
  }

  /** Calls `work` for each dead letter whose fields are accepted. @returns their IDs */
  async #each(
    ids: readonly string[],
    accepts: (fields: readonly string[]) => boolean,
    work: (client: Valkey, key: string, id: string) => Promise<unknown>,
  ): Promise<string[]> {
    checkList("ids", ids);
    const changed: string[] = [];
    for (const id of ids) {
      const [, partition = "", entryId = ""] = /^(\d{1,4}):(\d{1,20}-\d{1,20})$/.exec(id) ?? [];
      if (entryId === "" || Number(partition) >= this.#store.location.partitions) continue;
      const key = this.#key(Number(partition));
      let isChanged = false; // stays true if the reply of a successful attempt is lost
      await this.#ask(key, async (client) => {
        const [entry] = await client.xrange(key, entryId, entryId);
        if (entry === undefined || !accepts(entry[1])) return;
        isChanged = true;
        await work(client, key, entryId);
      });
      if (isChanged) changed.push(id);
    }
    return changed;
  }

  #key(partition: number): string {
    return reactionKeys(this.#store.location, partition, this.reaction).deadLetters;
  }

  /** Asks the server that holds a key. */
  #ask<T>(key: string, question: (client: Valkey) => Promise<T>): Promise<T> {
    return ask(this.#store.connection.of(key), `dead letters of ${this.reaction}`, question, this.#limits);
  }

  /** Returns the document of a letter's event; null if it has none that can be read. */
  #eventOf(fields: ReadonlyMap<string, string>): string | null {
    const text = fields.get("doc") ?? "";
    return typeof parseChange(this.#store.location.machine, text) === "string" ? null : text;
  }

  #letter(id: string, flat: readonly string[], isRetried: boolean): DeadLetter {
    const fields = new Map(pairsOf(flat));
    const lastMs = Number(fields.get("last"));
    const from = fields.get("lost");
    if (from !== undefined) {
      const count = fields.get("count");
      const events = count === "0" ? "events" : count === "1" ? "1 event" : `${count} events`;
      const error = `${events} trimmed from the log before ${count === "1" ? "it was" : "they were"} handled, from ${from} to ${fields.get("to")}`;
      return { id, text: null, error, attempts: 0, firstMs: undefined, lastMs, isRetried: false };
    }
    return {
      id,
      text: this.#eventOf(fields),
      error: fields.get("error") ?? "",
      attempts: Number(fields.get("tries")),
      firstMs: Number(fields.get("first")),
      lastMs,
      isRetried,
    };
  }
}
