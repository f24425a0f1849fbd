import type { ClientFleet } from "../fleet/client-fleet.js";
import { monotonicMs } from "../history/writer.js";

const EVERY_MS = 50;
/** Minimum rate of calls per second, so that a fault overlaps some. */
const LEAST_RATE = 400;
const UNLIMITED = 10_000;
/** Calls per generation. Half of them go to ten ids, of which none may get more than about 1000. */
const CALLS_OF_A_GENERATION = 10_000;
/** Assumed duration of an injection in ms, until one has been made. */
const FIRST_GUESS_MS = 1_000;

/** Distributes the calls of a run over its injections, and changes the generation of ids in time. */
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
    this.#adjust();
    this.#timer = setInterval(() => this.#adjust(), EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #adjust(): void {
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
