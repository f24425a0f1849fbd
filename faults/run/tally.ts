import type { HistoryRecord, Operation, Outcome, ResolvedRecord } from "../history/records.js";

/** Counts the records of a history. */
export class Tally {
  calls = 0;
  /** Calls without a return: their process was killed. */
  interrupted = 0;
  retries = 0;
  /** Copies of requests that were delivered. */
  copies = 0;
  events = 0;
  gaps = 0;
  follows = 0;
  logged = 0;
  readonly operations = new Map<Operation, number>();
  readonly outcomes = new Map<Outcome, number>();
  /** Outcomes of copies, which no caller got. */
  readonly copied = new Map<Outcome, number>();
  readonly #ops = new Set<string>();
  readonly #copies = new Set<string>();
  readonly resolved = new Map<ResolvedRecord["outcome"], number>();
  /** Errors that callers got because the call itself was invalid. */
  readonly errors: string[] = [];
  begun = Number.POSITIVE_INFINITY;
  ended = 0;

  add(record: HistoryRecord): void {
    switch (record.kind) {
      case "call":
        this.calls += 1;
        this.interrupted += 1;
        if (record.op !== undefined && this.#ops.has(record.op)) this.retries += 1;
        if (record.op !== undefined) this.#ops.add(record.op);
        count(this.operations, record.operation);
        this.begun = Math.min(this.begun, record.at);
        return;
      case "copy":
        this.copies += 1;
        this.#copies.add(`${record.process} ${record.number}`);
        return;
      case "return":
        if (this.#copies.delete(`${record.process} ${record.number}`)) {
          count(this.copied, record.outcome);
          return;
        }
        this.interrupted -= 1;
        count(this.outcomes, record.outcome);
        this.ended = Math.max(this.ended, record.at);
        if (record.outcome === "ERROR" && this.errors.length < 20) this.errors.push(record.error ?? "");
        return;
      case "resolved":
        count(this.resolved, record.outcome);
        return;
      case "follow":
        this.follows += 1;
        return;
      case "event":
        this.events += 1;
        return;
      case "gap":
        this.gaps += 1;
        return;
      case "final-event":
        this.logged += 1;
        return;
      default:
    }
  }

  /** Returns the number of unknown outcomes that could not be resolved. */
  get unresolved(): number {
    const resolved = [...this.resolved.values()].reduce((a, b) => a + b, 0);
    return (this.outcomes.get("UNKNOWN") ?? 0) - resolved;
  }

  get perSecond(): number {
    return this.ended > this.begun ? (this.calls / (this.ended - this.begun)) * 1000 : 0;
  }
}

function count<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
