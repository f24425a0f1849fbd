import { setTimeout as pause } from "node:timers/promises";
import { type Change, type Hold, LatchkeyError } from "latchkey";
import type { HistoryWriter } from "../history/writer.js";
import { shift } from "../machines/shift.js";
import { happens, type Random, randomFor } from "../random.js";
import { Caller } from "./caller.js";
import { HoldWatch } from "./hold-watch.js";
import type { Answer, Library } from "./library.js";
import type { ClientSettings } from "./messages.js";
import type { Reports } from "./reports.js";
import type { PlannedCall } from "./workload.js";

const [SHORTEST_MS, LONGEST_MS] = [200, 6_000];
const STEP_MS = 700;
const FLUSH_EVERY_MS = 20;

/**
 * Creates entities, holds them, changes them, and releases them: by a change, or by leaving them until the lease expires.
 * After a loss it still tries one write, as a process would that does not know about the loss.
 */
export class Holder {
  readonly #settings: ClientSettings;
  readonly #library: Library;
  readonly #history: HistoryWriter;
  readonly #caller: Caller;
  readonly #stopping = new AbortController();
  #ops = 0;

  constructor(settings: ClientSettings, library: Library, history: HistoryWriter, reports: Reports) {
    this.#settings = settings;
    this.#library = library;
    this.#history = history;
    this.#caller = new Caller(library, history, reports, settings.name, settings.life, shift.name);
  }

  finish(): void {
    this.#stopping.abort();
  }

  async run(): Promise<void> {
    const { concurrency, seed, name, life } = this.#settings;
    const loops = Array.from({ length: concurrency }, async (_, loop) => {
      const random = randomFor(seed, name, life, loop);
      for (let turn = 0; !this.#stopping.signal.aborted; turn += 1) {
        await this.#turn(`${name}-${life}-${loop}-${turn}`, random);
      }
    });
    // Renewals that were confirmed to a process before it was killed count.
    const flush = setInterval(() => this.#history.flush(), FLUSH_EVERY_MS);
    await Promise.all(loops);
    clearInterval(flush);
  }

  async #turn(id: string, random: Random): Promise<void> {
    const created = await this.#change({ operation: "create", id });
    if (created.document === undefined) return this.#pause(100);
    if (happens(random, 10)) return; // nobody takes it, and its timeout expires
    const taken = await this.#change({ operation: "transition", id, to: "held", ifState: "waiting" });
    const { document } = taken;
    if (document === undefined || document.state !== "held") return;
    const { version } = document;
    let hold: Hold;
    try {
      hold = await this.#library.entities.hold(id, { version });
    } catch (error) {
      if (error instanceof LatchkeyError) return; // no reply in time, or already lost
      throw error;
    }
    const watch = new HoldWatch(this.#settings.name, hold, document.since, this.#history);
    await this.#work(id, hold, random);
    if (hold.signal.aborted) await this.#writeAfterLoss(id, hold.version);
    else if (happens(random, 60)) {
      const done = await this.#under(hold, { operation: "transition", id, to: "done" });
      watch.end(done ? "changed" : "closed");
    } else watch.end("closed");
    await hold.close();
  }

  /** Patches the entity now and then, until its time is up or the hold is lost. */
  async #work(id: string, hold: Hold, random: Random): Promise<void> {
    let left = SHORTEST_MS + random.below(LONGEST_MS - SHORTEST_MS);
    while (left > 0 && !this.#stopping.signal.aborted) {
      const ms = Math.min(left, STEP_MS + random.below(STEP_MS));
      await pause(ms, undefined, { signal: hold.signal }).catch(() => {});
      if (hold.signal.aborted) return;
      left -= ms;
      if (happens(random, 30)) await this.#under(hold, { operation: "patch", id, set: { left } });
    }
  }

  /** Makes a change under the hold. Returns false if it was not applied, as far as is known. */
  async #under(hold: Hold, step: PlannedCall): Promise<boolean> {
    let isMade = false;
    const make = async (ifVersion: number): Promise<Change> => {
      const answer = await this.#change({ ...step, ifVersion });
      const { document, outcome } = answer;
      isMade = outcome === "OK" || outcome === "REPLAYED";
      if (document === undefined || !isMade) throw new NotMade(outcome);
      return document as Change;
    };
    await hold.change(make).catch((error: unknown) => {
      if (!(error instanceof NotMade || error instanceof LatchkeyError)) throw error;
    });
    return isMade;
  }

  async #writeAfterLoss(id: string, ifVersion: number): Promise<void> {
    await this.#change({ operation: "patch", id, set: { regardless: true }, ifVersion });
  }

  async #change(step: PlannedCall): Promise<Answer> {
    const { name, life } = this.#settings;
    this.#ops += 1;
    return this.#caller.call({ ...step, op: `${name}-${life}.${this.#ops}` });
  }

  async #pause(ms: number): Promise<void> {
    await pause(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }
}

class NotMade extends Error {
  override readonly name = "NotMade";
}
