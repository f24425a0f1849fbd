import { type Arena, type Details, type Fault, Unavailable, VoidInjection } from "../fault.js";
import { type HistoryWriter, monotonicMs } from "../history/writer.js";
import { randomFor, shuffled } from "../random.js";

/** How often an injection that hit nothing is tried, at most. */
const TRIES = 5;

/** What came of the injections of one fault. */
export interface InjectionResult {
  readonly fault: Fault;
  injected: number;
  void: number;
  /** Why it could not be injected here at all. */
  unavailable?: string;
  /** What went wrong, promises that were broken among it. */
  readonly failures: string[];
  readonly details: Details[];
}

/** Injects faults one by one, and writes down when. */
export class Injections {
  readonly all = new Map<string, InjectionResult>();
  readonly #history: HistoryWriter;
  readonly #heal: () => void;
  #number = 0;

  /** @param heal takes back what an injection that failed may have left */
  constructor(history: HistoryWriter, heal: () => void) {
    this.#history = history;
    this.#heal = heal;
  }

  /** @param arena makes one for each try */
  async inject(fault: Fault, arena: (attempt: number) => Arena): Promise<void> {
    const result = this.#resultOf(fault);
    if (result.unavailable !== undefined) return;
    for (let attempt = 0; attempt < TRIES; attempt += 1) {
      if (await this.#try(fault, result, arena(attempt))) return;
      result.void += 1;
    }
    result.failures.push(`hit nothing, ${TRIES} times in a row`);
  }

  /** False where it hit nothing. */
  async #try(fault: Fault, result: InjectionResult, arena: Arena): Promise<boolean> {
    this.#number += 1;
    const number = this.#number;
    this.#history.append({ kind: "fault-begin", number, name: fault.name, at: monotonicMs() });
    this.#history.flush();
    let details: Details = {};
    let hit = true;
    try {
      details = await fault.inject(arena);
      result.injected += 1;
      result.details.push(details);
    } catch (error) {
      hit = !(error instanceof VoidInjection);
      details = { [hit ? "failure" : "void"]: textOf(error) };
      if (error instanceof Unavailable) result.unavailable = error.message;
      else if (hit) result.failures.push(textOf(error));
      this.#heal();
    }
    this.#history.append({ kind: "fault-end", number, at: monotonicMs(), details });
    try {
      await arena.awaitRecovery();
    } catch (error) {
      result.failures.push(textOf(error));
    }
    return hit;
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

/** Which fault is injected when: all of them once, in an order by seed, then all again in another one, and so on. */
export function schedule(faults: readonly Fault[], injections: number, seed: number): Fault[] {
  const rounds = faults.length === 0 ? 0 : Math.ceil(injections / faults.length);
  return Array.from({ length: rounds }, (_, round) => shuffled(randomFor(seed, "schedule", round), faults))
    .flat()
    .slice(0, injections);
}
