import type { Entity } from "./facts.js";
import type { LossyInjection } from "./loss.js";

/** Names the rules. HISTORY.md describes them. */
export type Rule =
  | "versions"
  | "edges"
  | "ops"
  | "requests"
  | "fields"
  | "stamps"
  | "acknowledgements"
  | "rejections"
  | "real-time"
  | "reads"
  | "entity"
  | "index"
  | "due"
  | "log"
  | "followers"
  | "loss-order"
  | "linear"
  | TimedRule;

/** Names the rules for the timed history. */
export type TimedRule =
  | "lease"
  | "holder"
  | "fence"
  | "once"
  | "overdue"
  | "handled"
  | "order"
  | "dead-letters";

/** Describes a broken guarantee. */
export interface Violation {
  readonly rule: Rule;
  readonly machine?: string;
  readonly id?: string;
  /** One sentence. */
  readonly message: string;
  /** Lines of the records that prove it, from 1. */
  readonly lines: readonly number[];
}

/** Counts what was lost to a fault that may lose it. */
export interface Lost {
  readonly fault: string;
  /** Acknowledged changes. */
  changes: number;
  /** Reads and rejections that showed lost changes, or came from a demoted server. */
  reads: number;
  /** Changes that a follower read. */
  events: number;
  /** Confirmed renewals of leases. */
  renewals?: number;
}

const KEPT = 200;

/** Collects violations and losses. */
export class Findings {
  readonly violations: Violation[] = [];
  /** Number of all violations. Only the first ones are kept. */
  count = 0;
  readonly #byRule = new Map<Rule, number>();
  readonly #lost = new Map<string, Lost>();

  add(rule: Rule, entity: Entity | undefined, message: string, ...lines: readonly number[]): void {
    this.count += 1;
    this.#byRule.set(rule, (this.#byRule.get(rule) ?? 0) + 1);
    if (this.violations.length >= KEPT) return;
    const subject = entity === undefined ? {} : { machine: entity.machine.name, id: entity.id };
    const text = entity === undefined ? message : `${entity.machine.name} ${entity.id}: ${message}`;
    this.violations.push({ rule, ...subject, message: text, lines: lines.filter((line) => line > 0) });
  }

  lose(what: "changes" | "reads" | "events" | "renewals", { name }: LossyInjection): void {
    const lost = this.#lost.get(name) ?? { fault: name, changes: 0, reads: 0, events: 0 };
    this.#lost.set(name, lost);
    lost[what] = (lost[what] ?? 0) + 1;
  }

  get byRule(): Readonly<Partial<Record<Rule, number>>> {
    return Object.fromEntries(this.#byRule);
  }

  get lost(): readonly Readonly<Lost>[] {
    return [...this.#lost.values()];
  }
}
