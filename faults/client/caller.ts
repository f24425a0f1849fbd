import type { CallRecord } from "../history/records.js";
import { type HistoryWriter, monotonicMs, observationOf } from "../history/writer.js";
import { job } from "../machines/job.js";
import type { Answer, Library } from "./library.js";
import type { Reports } from "./reports.js";
import type { PlannedCall } from "./workload.js";

/** The numbers of a process's calls go on over its restarts: each life counts from its own start. */
const CALLS_OF_A_LIFE = 100_000_000;

/** Makes calls and writes them down: what is asked before it is sent, what came of it behind that. */
export class Caller {
  readonly #library: Library;
  readonly #history: HistoryWriter;
  readonly #reports: Reports;
  readonly #process: string;
  readonly #machine: string;
  #number: number;

  constructor(
    library: Library,
    history: HistoryWriter,
    reports: Reports,
    process: string,
    life: number,
    machine: string = job.name,
  ) {
    this.#machine = machine;
    this.#library = library;
    this.#history = history;
    this.#reports = reports;
    this.#process = process;
    this.#number = life * CALLS_OF_A_LIFE;
  }

  /** One call, to its end; where its outcome is unknown, what became of it is asked for as well. */
  async call(step: PlannedCall): Promise<Answer> {
    const { counts } = this.#reports;
    this.#number += 1;
    const call = { process: this.#process, number: this.#number };
    const record: CallRecord = { kind: "call", ...call, at: monotonicMs(), machine: this.#machine, ...step };
    this.#history.append(record);
    // On the file before it is sent: should this process be killed, its next life knows what is pending.
    if (step.operation !== "get") this.#history.flush();
    counts.begun += 1;
    const answer = await this.#library.call(step);
    this.#history.append({
      kind: "return",
      ...call,
      at: monotonicMs(),
      outcome: answer.outcome,
      ...(answer.document !== undefined && { document: observationOf(answer.document) }),
      ...(answer.error !== undefined && { error: answer.error }),
    });
    counts.ended += 1;
    if (answer.outcome === "UNKNOWN") counts.unknown += 1;
    else if (answer.outcome === "NOTEXECUTED") counts.notExecuted += 1;
    else if (answer.outcome === "ERROR") this.#reports.problem(`${this.#process}: ${answer.error}`);
    else counts.answered += 1;
    const resolved = await answer.resolve?.();
    if (resolved !== undefined) {
      this.#history.append({ kind: "resolved", ...call, at: monotonicMs(), ...resolved });
    }
    return answer;
  }
}

/**
 * Ops carry the server time from before their first attempt, so that a process which was killed knows it again when it
 * repeats them.
 */
export function newOp(process: string, number: number, sent: number): string {
  return `${process}.${number}@${sent}`;
}

/** The server time, in ms, from before the first attempt of an op. */
export function sentOf(op: string): number {
  return Number(op.slice(op.indexOf("@") + 1));
}
