import type { Entity, Facts } from "../facts.js";
import { Findings, type Violation } from "../report.js";
import { rejectionProblem } from "../witness/rejections.js";
import { callWords, observationWords } from "../words.js";
import { knownVersions } from "./known-versions.js";
import { ABSENT, ANYTHING, Model } from "./model.js";
import { searchOrder } from "./search.js";
import { type Segment, segmentsOf, stepsOf } from "./steps.js";

export interface LinearOptions {
  /** Maximum steps of a search for one segment of an entity. @default 2,000,000 */
  readonly budget?: number;
  /** Maximum calls of one entity that are searched at once. @default 1000 */
  readonly segment?: number;
}

/** Holds the result of the linearizability checker. */
export interface LinearReport {
  readonly entities: number;
  readonly segments: number;
  /** Changes, reads and rejections that were ordered. */
  readonly operations: number;
  readonly steps: number;
  readonly violations: readonly Violation[];
  readonly count: number;
  /** Segments whose search exceeded the budget: neither correct nor wrong. */
  readonly undecided: number;
}

/**
 * Checks that each entity's calls are linearizable: there is an order that fits their times, in which each call changes
 * the entity and returns as the machine defines. It never uses the log or the final state.
 *
 * @example
 * const { count, undecided } = linear(await gather(readHistory("history.jsonl")));
 */
export function linear(
  facts: Facts,
  { budget = 2_000_000, segment = 1000 }: LinearOptions = {},
): LinearReport {
  const findings = new Findings();
  let [segments, operations, steps, undecided] = [0, 0, 0, 0];
  for (const entity of facts.entities) {
    checkRejections(entity, findings);
    for (const one of segmentsOf(entity, facts.loss, segment)) {
      const verdict = order(entity, one, budget, findings);
      segments += 1;
      operations += verdict.operations;
      steps += verdict.steps;
      if (verdict.isUndecided) undecided += 1;
    }
  }
  const { violations, count } = findings;
  return { entities: facts.entities.length, segments, operations, steps, violations, count, undecided };
}

function checkRejections(entity: Entity, findings: Findings): void {
  for (const call of entity.calls) {
    const problem = rejectionProblem(call);
    if (problem === undefined) continue;
    findings.add(
      "linear",
      entity,
      `${callWords(call)} was rejected as ${call.outcome}, although ${problem}`,
      call.line,
    );
  }
}

function order(entity: Entity, segment: Segment, budget: number, findings: Findings) {
  const steps = stepsOf(entity, segment);
  const operations = steps.length;
  if (operations === 0) return { operations, steps: 0, isUndecided: false };
  const model = new Model(entity.machine, knownVersions(steps));
  const verdict = searchOrder(model, segment.isFirst ? ABSENT : ANYTHING, steps, budget);
  if (verdict.kind === "violated") {
    const { call } = verdict.stuckAt;
    const shows = call.observation === undefined ? "" : `, received ${observationWords(call.observation)}`;
    const message = `no order of its ${operations} operations fits: ${verdict.ordered} can be put in order, but not ${callWords(call)} (${call.outcome}${shows})`;
    findings.add("linear", entity, message, call.line, call.returnLine);
  }
  return { operations, steps: verdict.steps, isUndecided: verdict.kind === "undecided" };
}
