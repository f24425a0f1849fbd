import type { AgentState, Entities } from "latchkey";

/** Number of agents by state, as it was read last. */
export class Counts {
  last: Readonly<Record<string, number>> = {};
  readonly #agents: Entities<AgentState>;
  #reading: Promise<void> | undefined;

  constructor(agents: Entities<AgentState>) {
    this.#agents = agents;
  }

  /** Reads the numbers, or waits for the read that is in progress. */
  read(): Promise<void> {
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  async #read(): Promise<void> {
    this.last = await this.#agents.count();
  }
}
