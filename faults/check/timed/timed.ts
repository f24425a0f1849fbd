import { Findings, type Lost, type Rule, type Violation } from "../report.js";
import type { TimedFacts } from "./facts.js";
import { checkLeases } from "./leases.js";
import { checkTimedLog } from "./log.js";
import { checkEnd } from "./overdue.js";
import { checkReactions } from "./reactions.js";

/** Holds the result of the timed checker. */
export interface TimedReport {
  readonly violations: readonly Violation[];
  /** Number of all violations. Only the first ones are kept. */
  readonly count: number;
  readonly byRule: Readonly<Partial<Record<Rule, number>>>;
  readonly lost: readonly Readonly<Lost>[];
  readonly renewals: number;
  readonly holds: number;
  /** Holds whose loss was reported to their holder. */
  readonly losses: number;
  /** Events of the actor latchkey. */
  readonly expiries: number;
  readonly events: number;
  readonly handled: number;
  readonly deadLetters: number;
}

/** Checks leases, sweepers and reactions. */
export function timed(facts: TimedFacts): TimedReport {
  const findings = new Findings();
  checkTimedLog(facts, findings);
  checkLeases(facts, findings);
  checkEnd(facts, findings);
  checkReactions(facts, findings);
  const entities = [...facts.entities.values()];
  const events = entities.flatMap((entity) => entity.events);
  return {
    violations: findings.violations,
    count: findings.count,
    byRule: findings.byRule,
    lost: findings.lost,
    renewals: entities.reduce((sum, { renewals }) => sum + renewals.length, 0),
    holds: facts.held.length,
    losses: facts.held.filter(({ ended }) => ended === "lost").length,
    expiries: events.filter(({ actor }) => actor === "latchkey").length,
    events: events.length,
    handled: facts.handled.filter(({ step }) => step === "done").length,
    deadLetters: facts.deadLetters.length,
  };
}
