import type { NotExecutedError } from "../errors/outcome-errors.js";
import { MAX_STUCK, type SweepReporter } from "./report.js";

/** Remembers which timers of one partition cannot fire, so that each is reported once. */
export class StuckSet {
  readonly #machine: string;
  readonly #reporter: SweepReporter;
  /** The rejection by id if the user lacks a permission for it; undefined for a stuck timer. */
  readonly #rejections = new Map<string, NotExecutedError | undefined>();

  constructor(machine: string, reporter: SweepReporter) {
    this.#machine = machine;
    this.#reporter = reporter;
  }

  get size(): number {
    return this.#rejections.size;
  }

  /** Returns a rejection if the user lacks a permission for one of the timers. */
  get rejection(): NotExecutedError | undefined {
    for (const rejection of this.#rejections.values()) if (rejection !== undefined) return rejection;
    return undefined;
  }

  addStuck(id: string, why: string): void {
    if (this.#isStuck(id) || this.#reporter.report.stuck >= MAX_STUCK) return;
    this.#rejections.set(id, undefined);
    this.#reporter.addStuck({ machine: this.#machine, id, why });
  }

  addRejected(id: string, rejection: NotExecutedError): void {
    if (this.#rejections.has(id) || this.#rejections.size >= MAX_STUCK) return;
    this.#rejections.set(id, rejection);
  }

  remove(id: string): void {
    const isStuck = this.#isStuck(id);
    this.#rejections.delete(id);
    if (isStuck) this.#reporter.removeStuck(this.#machine, id);
  }

  /** Returns the ids that were returned least recently. */
  take(count: number): string[] {
    const entries = [...this.#rejections].slice(0, count);
    for (const [id, rejection] of entries) {
      this.#rejections.delete(id);
      this.#rejections.set(id, rejection);
    }
    return entries.map(([id]) => id);
  }

  #isStuck(id: string): boolean {
    return this.#rejections.has(id) && this.#rejections.get(id) === undefined;
  }
}
