import type { Entity, Facts, Seen } from "./facts.js";
import { differingField } from "./field-map.js";
import { ABSENT, ANYTHING, Model, placeOf, type Step, type Write } from "./linear-model.js";
import { searchOrder } from "./linear-search.js";
import { type Stretch, stepsOf, stretchesOf } from "./linear-steps.js";
import { wrongIn } from "./refusal-rules.js";
import { Findings, type Violation } from "./report.js";
import { callWords, seenWords } from "./words.js";

export interface LinearOptions {
  /** Steps that a search may take for one stretch of an entity. @default 2,000,000 */
  readonly budget?: number;
  /** Calls of one entity that are searched at once. @default 1000 */
  readonly stretch?: number;
}

/** What the WGL checker says of a history. */
export interface LinearReport {
  readonly entities: number;
  readonly stretches: number;
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
  { budget = 2_000_000, stretch = 1000 }: LinearOptions = {},
): LinearReport {
  const findings = new Findings();
  let [stretches, operations, steps, undecided] = [0, 0, 0, 0];
  for (const entity of facts.entities) {
    checkRefused(entity, findings);
    for (const one of stretchesOf(entity, facts.loss, stretch)) {
      const verdict = order(entity, one, budget, findings);
      stretches += 1;
      operations += verdict.operations;
      steps += verdict.steps;
      if (verdict.isUndecided) undecided += 1;
    }
  }
  const { violations, count } = findings;
  return { entities: facts.entities.length, stretches, operations, steps, violations, count, undecided };
}

function checkRefused(entity: Entity, findings: Findings): void {
  for (const call of entity.calls) {
    const problem = wrongIn(call);
    if (problem === undefined) continue;
    findings.add(
      "linear",
      entity,
      `${callWords(call)} was refused as ${call.outcome}, though ${problem}`,
      call.line,
    );
  }
}

function order(entity: Entity, stretch: Stretch, budget: number, findings: Findings) {
  const steps = stepsOf(entity, stretch);
  const operations = steps.length;
  if (operations === 0) return { operations, steps: 0, isUndecided: false };
  const shown = shownIn(entity, steps, findings);
  if (shown === undefined) return { operations, steps: 0, isUndecided: false };
  const model = new Model(entity.machine, steps, shown, claimsIn(steps));
  const verdict = searchOrder(model, stretch.isFirst ? ABSENT : ANYTHING, steps, budget);
  if (verdict.kind === "violated") {
    const { call } = verdict.stuckAt;
    const shows = call.seen === undefined ? "" : `, shown ${seenWords(call.seen)}`;
    const message = `no order of its ${operations} operations fits: ${verdict.ordered} can be put in order, but not ${callWords(call)} (${call.outcome}${shows})`;
    findings.add("linear", entity, message, call.line, call.returnLine);
  }
  return { operations, steps: verdict.steps, isUndecided: verdict.kind === "undecided" };
}

/** What callers were shown of each version; undefined where two were shown it otherwise, which no order can explain. */
function shownIn(entity: Entity, steps: readonly Step[], findings: Findings): Map<string, Seen> | undefined {
  const shown = new Map<string, Seen>();
  const shownBy = new Map<string, Step>();
  for (const step of steps) {
    const seen = step.kind === "sight" ? step.seen : step.made;
    // What a removal made is no state of the entity.
    if (seen === undefined || (step.kind === "write" && step.call.operation === "remove")) continue;
    const place = placeOf(seen.created, seen.version);
    const other = shown.get(place);
    const by = shownBy.get(place);
    if (other === undefined || by === undefined) {
      shown.set(place, seen);
      shownBy.set(place, step);
    } else if (!isSame(seen, other)) {
      const message = `${callWords(by.call)} was shown ${seenWords(other)}, ${callWords(step.call)} ${seenWords(seen)}, which is the same version of the same life with another content`;
      findings.add("linear", entity, message, by.call.returnLine, step.call.returnLine);
      return undefined;
    }
  }
  return shown;
}

function isSame(one: Seen, other: Seen): boolean {
  return (
    one.state === other.state &&
    one.timestamp === other.timestamp &&
    one.since === other.since &&
    differingField(one.fields, other.fields) === undefined
  );
}

/** Who is known to have made a version. */
function claimsIn(steps: readonly Step[]): Map<string, Write> {
  const claims = new Map<string, Write>();
  for (const step of steps) {
    if (step.kind !== "write" || step.version === undefined || step.created === undefined) continue;
    claims.set(placeOf(step.created, step.version), step);
  }
  return claims;
}
