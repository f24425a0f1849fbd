import type { Entity } from "./facts.js";
import type { LossyInjection } from "./loss.js";

/** What a rule says; docs/evidence/history-format.md has them all. */
export type Rule =
  | "versions"
  | "edges"
  | "ops"
  | "asked"
  | "fields"
  | "stamps"
  | "acknowledged"
  | "refused"
  | "real-time"
  | "reads"
  | "entity"
  | "index"
  | "due"
  | "log"
  | "followers"
  | "holes"
  | "linear"
  | TimedRule;

/** What a rule says of those that live by time. */
export type TimedRule =
  | "lease"
  | "holder"
  | "fence"
  | "once"
  | "overdue"
  | "handled"
  | "order"
  | "dead-letters";

/** A promise that a history shows broken. */
export interface Violation {
  readonly rule: Rule;
  readonly machine?: string;
  readonly id?: string;
  /** One sentence. */
  readonly message: string;
  /** The records that show it: lines of the history, from 1. */
  readonly lines: readonly number[];
}

/** What did not survive a fault that may lose it. */
export interface Lost {
  readonly fault: string;
  /** Acknowledged changes. */
  changes: number;
  /** Reads and refusals that showed what did not survive, or were answered by a server that had been deposed. */
  reads: number;
  /** Changes that a follower was given. */
  events: number;
  /** Renewals of leases that were confirmed. */
  renewals?: number;
}

const KEPT = 200;

/** Gathers what a checker finds. */
export class Findings {
  readonly violations: Violation[] = [];
  /** Of all violations; only the first ones are kept. */
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
