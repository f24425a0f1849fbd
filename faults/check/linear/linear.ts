import type { Entity, Facts } from "../facts.js";
import { Findings, type Violation } from "../report.js";
import { rejectionProblem } from "../witness/rejections.js";
import { callWords, seenWords } from "../words.js";
import { knownVersions } from "./known-versions.js";
import { ABSENT, ANYTHING, Model } from "./model.js";
import { searchOrder } from "./search.js";
import { type Segment, segmentsOf, stepsOf } from "./steps.js";

export interface LinearOptions {
  /** Steps that a search may take for one segment of an entity. @default 2,000,000 */
  readonly budget?: number;
  /** Calls of one entity that are searched at once. @default 1000 */
  readonly segment?: number;
}

/** What the WGL checker says of a history. */
export interface LinearReport {
  readonly entities: number;
  readonly segments: number;
  /** Changes, reads and refusals that were put in order. */
  readonly operations: number;
  readonly steps: number;
  readonly violations: readonly Violation[];
  readonly count: number;
  /** Stretches for which the budget was too small: neither right nor wrong. */
  readonly undecided: number;
}

/**
 * Checks that each entity's calls were linearizable: that there is an order of them which fits their times, and in which
 * each one does to the entity, and tells its caller, what the machine says. It never looks at the log or the end state.
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
      `${callWords(call)} was refused as ${call.outcome}, though ${problem}`,
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
    const shows = call.seen === undefined ? "" : `, shown ${seenWords(call.seen)}`;
    const message = `no order of its ${operations} operations fits: ${verdict.ordered} can be put in order, but not ${callWords(call)} (${call.outcome}${shows})`;
    findings.add("linear", entity, message, call.line, call.returnLine);
  }
  return { operations, steps: verdict.steps, isUndecided: verdict.kind === "undecided" };
}
