import type { Call, Facts } from "../facts.js";
import type { LossyInjection } from "../loss.js";
import { Findings, type Lost, type Rule, type Violation } from "../report.js";
import { checkClaims, type LostChange } from "./claims.js";
import { checkFinal } from "./final-state.js";
import { checkFinality } from "./finality.js";
import { checkFollowers } from "./followers.js";
import { checkLog } from "./log.js";
import { checkLossOrder, type KeptChange } from "./loss-order.js";
import { checkTime } from "./real-time.js";
import { checkRejections } from "./rejections.js";
import { checkRequests, requestsOf } from "./requests.js";

/** Holds the result of the witness checker. */
export interface WitnessReport {
  readonly entities: number;
  readonly calls: number;
  readonly changes: number;
  /** The first violations. `count` is the number of all. */
  readonly violations: readonly Violation[];
  readonly count: number;
  readonly byRule: Readonly<Partial<Record<Rule, number>>>;
  /** Losses by fault. They are not violations. */
  readonly lost: readonly Readonly<Lost>[];
}

/**
 * Checks a history against its log, which is the claimed order of all changes (the witness). Everything that callers and
 * followers received, and the final state, must agree with it. HISTORY.md lists the rules.
 *
 * @example
 * const { count, violations } = witness(await gather(readHistory("history.jsonl")));
 */
export function witness(facts: Facts): WitnessReport {
  const findings = new Findings();
  // A requested durability counts only if it was acknowledged. A rejection never proves durability.
  const lossOf = ({ at, durability, outcome }: Call, acknowledgedAt: number): LossyInjection | undefined =>
    facts.loss.of(at, acknowledgedAt, outcome === "OK" || outcome === "REPLAYED" ? durability : "memory");
  const lost: LostChange[] = [];
  const kept: KeptChange[] = [];
  let changes = 0;
  for (const entity of facts.entities) {
    changes += entity.events.length;
    const requests = requestsOf(entity);
    checkLog(entity, facts.clocks.length > 0, findings);
    checkRequests(entity, requests, facts.loss, findings);
    const claims = checkClaims(entity, requests, lossOf, findings);
    checkRejections(entity, findings);
    checkFinality(entity, requests, facts.clocks, findings);
    checkTime(entity, claims.evidence, lossOf, findings);
    checkFinal(entity, findings);
    lost.push(...claims.lost);
    if (facts.loss.injections.length === 0) continue;
    for (const { calls, until, fromLine } of claims.evidence.values()) {
      const call = calls.find(({ line }) => line === fromLine);
      if (call !== undefined && until !== Number.POSITIVE_INFINITY)
        kept.push({ call, acknowledgedAt: until });
    }
  }
  for (const { to } of lost) findings.lose("changes", to);
  checkLossOrder(lost, kept, findings);
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
