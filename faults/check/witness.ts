import { checkClaims, type LostChange } from "./claim-rules.js";
import type { Call, Facts } from "./facts.js";
import { checkFinal } from "./final-rules.js";
import { checkFollowers } from "./follower-rules.js";
import { checkHoles, type KeptChange } from "./hole-rule.js";
import { checkLog } from "./log-rules.js";
import type { LossyInjection } from "./loss.js";
import { checkRefusals } from "./refusal-rules.js";
import { Findings, type Lost, type Rule, type Violation } from "./report.js";
import { checkRequests, requestsOf } from "./request-rules.js";
import { checkTime } from "./time-rules.js";

/** What the witness checker says of a history. */
export interface WitnessReport {
  readonly entities: number;
  readonly calls: number;
  readonly changes: number;
  /** The first ones; `count` is how many there are. */
  readonly violations: readonly Violation[];
  readonly count: number;
  readonly byRule: Readonly<Partial<Record<Rule, number>>>;
  /** What was lost to faults that may lose it, by fault. No violations. */
  readonly lost: readonly Readonly<Lost>[];
}

/**
 * Checks a history against its log: the log is the witness, the claimed order of all changes. Everything that callers,
 * followers and the end state tell must agree with it. The rules stand in docs/evidence/history-format.md.
 *
 * @example
 * const { count, violations } = witness(await gather(readHistory("history.jsonl")));
 */
export function witness(facts: Facts): WitnessReport {
  const findings = new Findings();
  // Asked for, but not acknowledged, more copies spare nothing; nor do they spare what a refusal shows.
  const lossOf = ({ at, durability, outcome }: Call, told: number): LossyInjection | undefined =>
    facts.loss.of(at, told, outcome === "OK" || outcome === "REPLAYED" ? durability : "memory");
  const lost: LostChange[] = [];
  const kept: KeptChange[] = [];
  let changes = 0;
  for (const entity of facts.entities) {
    changes += entity.events.length;
    const requests = requestsOf(entity);
    checkLog(entity, findings);
    checkRequests(entity, requests, findings);
    const claims = checkClaims(entity, requests, lossOf, findings);
    checkRefusals(entity, findings);
    checkTime(entity, claims.standings, lossOf, findings);
    checkFinal(entity, findings);
    lost.push(...claims.lost);
    if (facts.loss.injections.length === 0) continue;
    for (const { calls, told, askedLine } of claims.standings.values()) {
      const call = calls.find(({ line }) => line === askedLine);
      if (call !== undefined && told !== Number.POSITIVE_INFINITY) kept.push({ call, told });
    }
  }
  for (const { to } of lost) findings.lose("changes", to);
  checkHoles(lost, kept, findings);
  checkFollowers(facts, findings);
  const { violations, count, byRule } = findings;
  return {
    entities: facts.entities.length,
    calls: facts.calls,
    changes,
    violations,
    count,
    byRule,
    lost: findings.lost,
  };
}
