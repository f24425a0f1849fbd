import { nameOf } from "../history/timed-records.js";
import { type HistoryWriter, monotonicMs } from "../history/writer.js";
import type { Library } from "./library.js";
import type { ClientSettings } from "./messages.js";
import type { Reports } from "./reports.js";

/** Sweeps, and records each change that it is reported to have fired. */
export class Sweeper {
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
    const { counts } = this.#reports;
    await this.#library.entities.sweep({
      signal: this.#stopping.signal,
      interval: "200ms",
      batch: 20,
      onChange: (change) => {
        this.#history.append({ kind: "fired", process: name, at: monotonicMs(), ...nameOf(change) });
        this.#history.flush();
        counts.begun += 1;
        counts.ended += 1;
        counts.answered += 1;
      },
      onStuck: ({ id, why }) => this.#reports.problem(`${name} reports ${id} as stuck: ${why}`),
    });
  }
}
