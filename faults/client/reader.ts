import type { HistoryWriter } from "../history/writer.js";
import { randomFor } from "../random.js";
import { Caller } from "./caller.js";
import type { Library } from "./library.js";
import type { ClientSettings } from "./messages.js";
import type { Pace } from "./pace.js";
import type { Reports } from "./reports.js";
import { chooseId } from "./workload.js";

/** Reads entities and changes nothing. */
export class Reader {
  readonly #settings: ClientSettings;
  readonly #pace: Pace;
  readonly #caller: Caller;
  generation: number;

  constructor(
    settings: ClientSettings,
    library: Library,
    history: HistoryWriter,
    reports: Reports,
    pace: Pace,
  ) {
    this.#settings = settings;
    this.#pace = pace;
    this.#caller = new Caller(library, history, reports, settings.name, settings.life);
    this.generation = settings.generation;
  }

  async run(): Promise<void> {
    const { seed, name, life, concurrency } = this.#settings;
    const loops = Array.from({ length: concurrency }, async (_, loop) => {
      const random = randomFor(seed, name, life, loop);
      while (await this.#pace.take()) {
        await this.#caller.call({ operation: "get", id: chooseId(random, this.generation) });
      }
    });
    await Promise.all(loops);
  }
}
