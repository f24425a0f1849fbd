import { type Arena, type Details, type Fault, Unavailable, VoidInjection } from "../fault.js";
import { type HistoryWriter, monotonicMs } from "../history/writer.js";
import { randomFor, shuffled } from "../random.js";

/** Attempts of an injection that has no effect. */
const ATTEMPTS = 5;

/** Holds the results of all injections of one fault. */
export interface InjectionResult {
  readonly fault: Fault;
  injected: number;
  void: number;
  /** Reason why it cannot be injected here. */
  unavailable?: string;
  /** Errors, including broken guarantees. */
  readonly failures: string[];
  readonly details: Details[];
}

/** Injects faults one by one, and records when. */
export class Injections {
  readonly all = new Map<string, InjectionResult>();
  readonly #history: HistoryWriter;
  readonly #heal: () => void;
  #number = 0;

  /** @param heal removes what a failed injection may have left */
  constructor(history: HistoryWriter, heal: () => void) {
    this.#history = history;
    this.#heal = heal;
  }

  /** @param arena makes one for each attempt */
  async inject(fault: Fault, arena: (attempt: number) => Arena): Promise<void> {
    const result = this.#resultOf(fault);
    if (result.unavailable !== undefined) return;
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      if (await this.#try(fault, result, arena(attempt))) return;
      result.void += 1;
    }
    result.failures.push(`had no effect in ${ATTEMPTS} attempts`);
  }

  /** Returns false if the injection had no effect. */
  async #try(fault: Fault, result: InjectionResult, arena: Arena): Promise<boolean> {
    this.#number += 1;
    const number = this.#number;
    this.#history.append({ kind: "fault-begin", number, name: fault.name, at: monotonicMs() });
    this.#history.flush();
    let details: Details = {};
    let isEffective = true;
    try {
      details = await fault.inject(arena);
      result.injected += 1;
      result.details.push(details);
    } catch (error) {
      isEffective = !(error instanceof VoidInjection);
      details = { [isEffective ? "failure" : "void"]: textOf(error) };
      if (error instanceof Unavailable) result.unavailable = error.message;
      else if (isEffective) result.failures.push(textOf(error));
      this.#heal();
    }
    this.#history.append({ kind: "fault-end", number, at: monotonicMs(), details });
    try {
      await arena.awaitRecovery();
    } catch (error) {
      result.failures.push(textOf(error));
    }
    return isEffective;
  }

  #resultOf(fault: Fault): InjectionResult {
    const result = this.all.get(fault.name) ?? { fault, injected: 0, void: 0, failures: [], details: [] };
    this.all.set(fault.name, result);
    return result;
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
}

/** Orders the faults of a run: every fault once in a random order, then every fault again in another order. */
export function schedule(faults: readonly Fault[], injections: number, seed: number): Fault[] {
  const rounds = faults.length === 0 ? 0 : Math.ceil(injections / faults.length);
  return Array.from({ length: rounds }, (_, round) => shuffled(randomFor(seed, "schedule", round), faults))
    .flat()
    .slice(0, injections);
}
