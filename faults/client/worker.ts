import { setTimeout as pause } from "node:timers/promises";
import { readHistory } from "../history/reader.js";
import type { CallRecord, DurabilityLevel } from "../history/records.js";
import { type HistoryWriter, monotonicMs } from "../history/writer.js";
import { happens, type Random, randomFor } from "../random.js";
import { Caller } from "./caller.js";
import type { Answer, Library } from "./library.js";
import type { ClientSettings } from "./messages.js";
import type { Pace } from "./pace.js";
import type { Reports } from "./reports.js";
import { chooseId, chooseStep, chooseVolley, type KnownState, type PlannedCall } from "./workload.js";

/** Number of earlier changes that may be retried. */
const REPEATABLE = 40;
const CLOCK_EVERY_MS = 500;
const MOST_IN_TIME_MS = 3_000;
/** Matches the URLs of servers with replicas. */
const REPLICATED = /\+(sentinel|cluster):/;

/** Changes entities with several concurrent calls that race with all other clients. */
export class Worker {
  readonly #settings: ClientSettings;
  readonly #library: Library;
  readonly #pace: Pace;
  readonly #caller: Caller;
  readonly #known = new Map<string, KnownState>();
  readonly #done: PlannedCall[] = [];
  generation: number;
  #ops = 0;
  /** A position of each partition that may be old. */
  #seen: readonly string[] = [];
  /** The server's clock minus CLOCK_MONOTONIC, in ms; rather too small than too large. */
  #clock = 0;

  constructor(
    settings: ClientSettings,
    library: Library,
    history: HistoryWriter,
    reports: Reports,
    pace: Pace,
  ) {
    this.#settings = settings;
    this.#library = library;
    this.#pace = pace;
    this.#caller = new Caller(library, history, reports, settings.name, settings.life);
    this.generation = settings.generation;
  }

  /** Works until its pace ends. First it retries what its previous life left pending. */
  async run(): Promise<void> {
    const { before, concurrency } = this.#settings;
    await this.#readClock();
    const clock = this.#updateClock();
    const pending = before === undefined ? [] : await pendingOf(before);
    await Promise.all(Array.from({ length: concurrency }, (_, loop) => this.#loop(loop, pending)));
    await clock;
  }

  async #loop(loop: number, pending: PlannedCall[]): Promise<void> {
    const { seed, name, life } = this.#settings;
    const random = randomFor(seed, name, life, loop);
    for (let step = pending.pop(); step !== undefined; step = pending.pop()) await this.#repeat(step);
    while (await this.#pace.take()) {
      const id = chooseId(random, this.generation);
      const steps = chooseVolley(random, id, this.#done) ?? [
        chooseStep(random, id, this.#known.get(id), this.#done),
      ];
      await Promise.all(steps.map((step) => this.#make(step, random)));
    }
  }

  async #make(step: PlannedCall, random: Random): Promise<void> {
    if (step.op !== undefined) await this.#repeat(step);
    else if (step.operation === "get") this.#learn(step.id, await this.#caller.call(step));
    else await this.#change(step, random);
  }

  async #change(step: PlannedCall, random: Random): Promise<void> {
    const { name, life } = this.#settings;
    this.#ops += 1;
    const nowMs = Math.floor(monotonicMs() + this.#clock);
    const op = `${name}-${life}.${this.#ops}`;
    // A position that is too old is safe, and may be FORGOTTEN.
    const seen = happens(random, 50) ? this.#oldPosition(step.id) : await this.#newestPosition(step.id);
    const durability = this.#durability(random);
    // Some changes have a time limit. A retry has the same limit, which has passed by then or will soon.
    const notAfter = happens(random, 4) ? nowMs + random.below(MOST_IN_TIME_MS) : undefined;
    const named = {
      ...step,
      op,
      seen,
      ...(durability !== undefined && { durability }),
      ...(notAfter !== undefined && { notAfter }),
    };
    const answer = await this.#caller.call(named, happens(random, 50));
    this.#learn(step.id, answer);
    if (answer.outcome === "UNKNOWN" && happens(random, 50)) await this.#repeat(named);
    if (answer.outcome !== "OK") return;
    this.#done.push(named);
    if (this.#done.length > REPEATABLE) this.#done.shift();
  }

  async #repeat(step: PlannedCall): Promise<void> {
    if (step.op !== undefined) this.#learn(step.id, await this.#caller.call(step));
  }

  /** Chooses a durability. Most changes need not survive the server's process. */
  #durability(random: Random): DurabilityLevel | undefined {
    if (happens(random, 0.5)) return "fsync";
    return REPLICATED.test(this.#settings.url) && happens(random, 5) ? "replicas" : undefined;
  }

  #learn(id: string, { outcome, document }: Answer): void {
    if (document !== undefined) {
      this.#known.set(id, { state: document.state, version: document.version });
      if (document.type === "job.removed") this.#known.set(id, null);
    } else if (outcome === "NOTFOUND") this.#known.set(id, null);
    if (this.#known.size > 2_000) this.#known.clear();
  }

  async #updateClock(): Promise<void> {
    while (!this.#pace.hasEnded) {
      await pause(CLOCK_EVERY_MS);
      await this.#readClock().catch(() => {}); // the previous offset and position hold a while longer
    }
  }

  #oldPosition(id: string): string {
    return this.#seen[this.#library.partitionOf(id)] ?? "0-0";
  }

  async #newestPosition(id: string): Promise<string> {
    return this.#library.position(id).catch(() => this.#oldPosition(id)); // it is not connected
  }

  async #readClock(): Promise<void> {
    const time = await this.#library.serverTime();
    this.#clock = time - monotonicMs();
    this.#seen = await this.#library.positions();
  }
}

/** Returns the changes of a killed process that were requested and got no reply. */
export async function pendingOf(file: string): Promise<PlannedCall[]> {
  const open = new Map<number, CallRecord>();
  for await (const record of readHistory(file, { truncated: "drop" })) {
    if (record.kind === "call" && record.operation !== "get") open.set(record.number, record);
    if (record.kind === "return") open.delete(record.number);
  }
  return [...open.values()].map(({ kind, process, number, at, machine, ...step }) => step as PlannedCall);
}
