import { setTimeout as pause } from "node:timers/promises";
import type { Change } from "latchkey";
import { type HandledRecord, nameOf } from "../history/timed-records.js";
import { type HistoryWriter, monotonicMs } from "../history/writer.js";
import { DEAD_LETTER_AFTER, REACTION } from "../machines/shift.js";
import { seedFor } from "../random.js";
import type { Library } from "./library.js";
import type { ClientSettings } from "./messages.js";
import type { Reports } from "./reports.js";

/** Percentage of events that always fail, and of those that fail at the first attempt only. */
const [POISONED, FLAKY] = [4, 15];
const LONGEST_MS = 20;

/** Runs a replica of the reaction to all events. Its handler fails for some of them. */
export class Reactor {
  readonly #settings: ClientSettings;
  readonly #library: Library;
  readonly #history: HistoryWriter;
  readonly #reports: Reports;
  readonly #stopping = new AbortController();

  constructor(settings: ClientSettings, library: Library, history: HistoryWriter, reports: Reports) {
    this.#settings = settings;
    this.#library = library;
    this.#history = history;
    this.#reports = reports;
  }

  finish(): void {
    this.#stopping.abort();
  }

  async run(): Promise<void> {
    const { name } = this.#settings;
    const reaction = await this.#library.entities.react(
      REACTION,
      (change, { attempt }) => this.#handle(change, attempt),
      {
        from: "start",
        concurrency: 4,
        retries: { first: "50ms", longest: "400ms" },
        deadLetterAfter: DEAD_LETTER_AFTER,
        takeOverAfter: "3s",
        onMissed: ({ from, to }) =>
          this.#reports.problem(`${name} missed events from ${from} to ${to}, although none was trimmed`),
      },
    );
    const stopped = new Promise<void>((resolve) => {
      if (this.#stopping.signal.aborted) resolve();
      else this.#stopping.signal.addEventListener("abort", () => resolve());
    });
    // It rejects if the reaction cannot continue.
    await Promise.race([reaction.closed, stopped]);
    await reaction.close();
  }

  async #handle(change: Change, attempt: number): Promise<void> {
    const { counts } = this.#reports;
    const luck = seedFor(this.#settings.seed, change.id, change.version) % 100;
    counts.begun += 1;
    this.#record(change, attempt, "begun");
    await pause(luck % LONGEST_MS);
    counts.ended += 1;
    if (luck < POISONED || (luck < POISONED + FLAKY && attempt === 1)) {
      this.#record(change, attempt, "failed");
      throw new Error(`the handler rejects ${change.type} of ${change.id}`);
    }
    counts.answered += 1;
    this.#record(change, attempt, "done");
  }

  #record(change: Change, attempt: number, step: HandledRecord["step"]): void {
    const at = monotonicMs();
    this.#history.append({
      kind: "handled",
      process: this.#settings.name,
      at,
      ...nameOf(change),
      attempt,
      step,
    });
    this.#history.flush();
  }
}
