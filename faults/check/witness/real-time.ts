import type { Call, Entity } from "../facts.js";
import type { LossyInjection } from "../loss.js";
import type { Findings } from "../report.js";
import { callWords, changeWords, observationWords } from "../words.js";
import { differenceOf, type Evidence } from "./claims.js";
import { isObservation, Moments } from "./observations.js";

type LossOf = (call: Call, acknowledgedAt: number) => LossyInjection | undefined;

/** Something that happened at one moment between two times. */
interface Interval {
  readonly from: number;
  readonly until: number;
  readonly fromLine: number;
  readonly untilLine: number;
  /** The read or rejection; undefined for a change. */
  readonly call: Call | undefined;
  readonly words: () => string;
}

const NEVER: Interval = {
  ...{ from: Number.NEGATIVE_INFINITY, until: Number.POSITIVE_INFINITY, fromLine: 0, untilLine: 0 },
  ...{ call: undefined, words: () => "" },
};

/**
 * Checks the log against real time: no change or read precedes what had ended when it began. Each read or rejection shows
 * the entity as the log has it at a moment of that call.
 */
export function checkTime(
  entity: Entity,
  evidence: ReadonlyMap<string, Evidence>,
  lossOf: LossOf,
  findings: Findings,
): void {
  const changes = entity.events.map((event): Interval => {
    const proof = evidence.get(event.op ?? "");
    if (proof?.event !== event) return { ...NEVER, words: () => changeWords(event) };
    const { from, until, fromLine, untilLine } = proof;
    return { from, until, fromLine, untilLine, call: undefined, words: () => changeWords(event) };
  });
  const moments = new Moments(entity);
  const bounds = new Bounds(changes);
  /** Reads at moment k, before change k ended it. */
  const readsAt: Interval[][] = [];
  for (const call of entity.calls) {
    if (!isObservation(call)) continue;
    const found = momentsOf(call, entity, moments, findings, lossOf);
    const possible = found.filter((k) => bounds.allow(k, call));
    // If no moment fits, the comparison below reports the conflict. If several fit, none is certain.
    const moment = possible.length === 0 ? found[0] : possible.length === 1 ? possible[0] : undefined;
    if (moment === undefined) continue;
    const { at: from, until, line: fromLine, returnLine: untilLine } = call;
    const words = (): string =>
      `${callWords(call)} showing ${call.observation ? observationWords(call.observation) : "no entity"}`;
    const interval = { from, until, fromLine, untilLine, call, words };
    const same = readsAt[moment];
    if (same === undefined) readsAt[moment] = [interval];
    else same.push(interval);
  }
  // The latest begin so far, among changes and among reads.
  let [change, sight] = [NEVER, NEVER];
  for (let moment = 0; moment <= changes.length; moment += 1) {
    const here = readsAt[moment] ?? [];
    for (const interval of here) {
      const before = change.from > sight.from ? change : sight;
      compare(entity, before, interval, lossOf, findings);
    }
    for (const interval of here) if (interval.from > sight.from) sight = interval;
    const next = changes[moment];
    if (next === undefined) continue;
    compare(entity, change, next, lossOf, findings);
    compare(entity, sight, next, lossOf, findings);
    if (next.from > change.from) change = next;
  }
}

/** Bounds each moment by the latest `from` before it and the earliest `until` after it. */
class Bounds {
  readonly #latestFrom: number[] = [Number.NEGATIVE_INFINITY];
  readonly #earliestUntil: number[] = [];

  constructor(changes: readonly Interval[]) {
    let latest = Number.NEGATIVE_INFINITY;
    for (const { from } of changes) {
      latest = Math.max(latest, from);
      this.#latestFrom.push(latest);
    }
    let earliest = Number.POSITIVE_INFINITY;
    this.#earliestUntil[changes.length] = earliest;
    for (let at = changes.length - 1; at >= 0; at -= 1) {
      earliest = Math.min(earliest, changes[at]?.until ?? earliest);
      this.#earliestUntil[at] = earliest;
    }
  }

  allow(moment: number, { at, until }: Call): boolean {
    const [from = 0, to = 0] = [this.#latestFrom[moment], this.#earliestUntil[moment]];
    return from <= until && at <= to;
  }
}

function momentsOf(
  call: Call,
  entity: Entity,
  moments: Moments,
  findings: Findings,
  lossOf: LossOf,
): readonly number[] {
  const { observation } = call;
  if (observation === undefined) return moments.absent;
  const dueAt = entity.machine.dueAt(observation.state, observation.since);
  if (call.operation === "get" && observation.dueAt !== dueAt) {
    const message = `${callWords(call)} showed a timer at ${observation.dueAt}, but ${dueAt} follows from ${observationWords(observation)}`;
    findings.add("reads", entity, message, call.line, call.returnLine);
  }
  const made = moments.made(observation.version, observation.timestamp);
  const same = made.filter((event) => differenceOf(observation, event) === undefined);
  if (same.length > 0) return same.map((event) => moments.after(event));
  // Another change can have this version and time: while a clock is behind, a lost change and its successor may have the
  // same.
  const loss = lossOf(call, call.until);
  if (loss !== undefined) {
    findings.lose("reads", loss);
    return [];
  }
  const [event] = made;
  const why =
    event === undefined
      ? "but the log does not have it"
      : `but the log has another ${differenceOf(observation, event)} at that version`;
  const message = `${callWords(call)} showed ${observationWords(observation)}, ${why}`;
  findings.add("reads", entity, message, call.line, call.returnLine, event?.line ?? 0);
  return [];
}

/** Checks that the first of two did not begin after the second ended. */
function compare(
  entity: Entity,
  before: Interval,
  after: Interval,
  lossOf: LossOf,
  findings: Findings,
): void {
  if (before.from <= after.until) return;
  // If the fault may lose changes, a demoted server may have replied.
  for (const { call } of [before, after]) {
    const loss = call && lossOf(call, call.until);
    if (loss === undefined) continue;
    findings.lose("reads", loss);
    return;
  }
  const rule = before.call !== undefined || after.call !== undefined ? "reads" : "real-time";
  const message = `${before.words()} comes before ${after.words()}, which had ended when the first began`;
  findings.add(rule, entity, message, before.fromLine, after.untilLine);
}
