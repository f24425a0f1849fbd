import type { ClientFleet } from "../fleet/client-fleet.js";
import { monotonicMs } from "../history/writer.js";

const EVERY_MS = 50;
/** Calls a second that are let through at least, so that a fault meets some. */
const LEAST_RATE = 400;
const UNLIMITED = 10_000;
/** Half of all calls go to ten ids, of which none may get more than 1000: then come others. */
const CALLS_OF_A_GENERATION = 10_000;
/** How long an injection takes, in ms, as long as none has been made. */
const FIRST_GUESS_MS = 1_000;

/** Spreads the operations of a run over its injections, and moves on to other entities in time. */
export class Load {
  readonly #fleet: ClientFleet;
  readonly #operations: number;
  readonly #injections: number;
  readonly #begun = monotonicMs();
  readonly #timer: NodeJS.Timeout;
  #generation = 0;
  injected = 0;

  constructor(fleet: ClientFleet, operations: number, injections: number) {
    this.#fleet = fleet;
    this.#operations = operations;
    this.#injections = injections;
    this.#look();
    this.#timer = setInterval(() => this.#look(), EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { begun } = this.#fleet.progress;
    this.#fleet.setRate(this.#rate(begun));
    const generation = Math.floor(begun / CALLS_OF_A_GENERATION);
    if (generation === this.#generation) return;
    this.#generation = generation;
    this.#fleet.setGeneration(generation);
  }

  #rate(begun: number): number {
    const left = this.#injections - this.injected;
    if (left <= 0) return UNLIMITED;
    const each = this.injected === 0 ? FIRST_GUESS_MS : (monotonicMs() - this.#begun) / this.injected;
    return Math.max(LEAST_RATE, ((this.#operations - begun) / (left * each)) * 1000);
  }
}
