import { nameOf } from "../history/timed.js";
import { type HistoryWriter, monotonicMs } from "../history.js";
import type { Library } from "./library.js";
import type { ClientOrder } from "./messages.js";
import type { Reports } from "./reports.js";

/** A client that sweeps, and writes down what it was told that it fired. */
export class Sweeper {
  readonly #order: ClientOrder;
  readonly #library: Library;
  readonly #history: HistoryWriter;
  readonly #reports: Reports;
  readonly #stopping = new AbortController();

  constructor(order: ClientOrder, library: Library, history: HistoryWriter, reports: Reports) {
    this.#order = order;
    this.#library = library;
    this.#history = history;
    this.#reports = reports;
  }

  finish(): void {
    this.#stopping.abort();
  }

  async run(): Promise<void> {
    const { name } = this.#order;
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
      onStuck: ({ id, why }) => this.#reports.problem(`${name} was told that ${id} is stuck: ${why}`),
    });
  }
}
