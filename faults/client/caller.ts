import type { CallRecord } from "../history/records.js";
import { type HistoryWriter, monotonicMs, observationOf } from "../history/writer.js";
import { job } from "../machines/job.js";
import type { Answer, Library } from "./library.js";
import type { Reports } from "./reports.js";
import type { PlannedCall } from "./workload.js";

/** Separates the call numbers of a process's lives: each life starts at its own multiple. */
const CALLS_OF_A_LIFE = 100_000_000;

/** Makes calls and records each one before it is sent and after it returns. */
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

  /**
   * Makes one call, and resolves its outcome if that is unknown.
   *
   * @param knows false if the library finds a position itself. It may for a first attempt.
   */
  async call(step: PlannedCall, knows = true): Promise<Answer> {
    const { counts } = this.#reports;
    this.#number += 1;
    const call = { process: this.#process, number: this.#number };
    const record: CallRecord = { kind: "call", ...call, at: monotonicMs(), machine: this.#machine, ...step };
    this.#history.append(record);
    // It is in the file before it is sent. If this process is killed, its next life knows what is pending.
    if (step.operation !== "get") this.#history.flush();
    counts.begun += 1;
    const { seen, ...unseen } = step;
    const answer = await this.#library.call(knows ? step : unseen);
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
