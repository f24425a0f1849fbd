import type { HistoryWriter } from "../history/writer.js";
import { randomFor } from "../random.js";
import { Caller } from "./caller.js";
import type { Library } from "./library.js";
import type { ClientOrder } from "./messages.js";
import type { Pace } from "./pace.js";
import type { Reports } from "./reports.js";
import { chooseId } from "./workload.js";

/** A client that only reads. */
export class Reader {
  readonly #order: ClientOrder;
  readonly #pace: Pace;
  readonly #caller: Caller;
  generation: number;

  constructor(order: ClientOrder, library: Library, history: HistoryWriter, reports: Reports, pace: Pace) {
    this.#order = order;
    this.#pace = pace;
    this.#caller = new Caller(library, history, reports, order.name, order.life);
    this.generation = order.generation;
  }

  async run(): Promise<void> {
    const { seed, name, life, concurrency } = this.#order;
    const lanes = Array.from({ length: concurrency }, async (_, lane) => {
      const random = randomFor(seed, name, life, lane);
      while (await this.#pace.take()) {
        await this.#caller.call({ operation: "get", id: chooseId(random, this.generation) });
      }
    });
    await Promise.all(lanes);
  }
}
