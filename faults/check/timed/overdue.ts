import type { RunState } from "../../history/records.js";
import type { Findings } from "../report.js";
import { timeWords } from "../words.js";
import type { TimedEntity, TimedFacts } from "./facts.js";

/** Every timer of the machine is shorter, however long the final sweeps took. */
const LONGEST_MS = 600_000;

/** Checks after the final sweeps that nothing is overdue, and that sweepers can find every deadline. */
export function checkEnd({ entities, states, swept }: TimedFacts, findings: Findings): void {
  if (swept === undefined) {
    findings.add("overdue", undefined, "the run has no final sweep");
    return;
  }
  const add = (id: string, message: string, ...lines: number[]): void =>
    findings.add("overdue", undefined, `${id}: ${message}`, swept.line, ...lines);
  for (const id of swept.stuck) add(id, "is listed as stuck");
  for (const entity of entities.values()) {
    const { id, hash, due } = entity;
    if (due !== undefined && due.score > swept.untilMs + LONGEST_MS) {
      add(id, `is due at ${timeWords(due.score)}, which no timer reaches`, due.line);
    }
    if (due !== undefined && due.score <= swept.untilMs) {
      add(id, `was due at ${timeWords(due.score)} and has not fired`, due.line);
    }
    if (hash === undefined) {
      if (due !== undefined) add(id, "is in due but does not exist", due.line);
      continue;
    }
    const deadline = deadlineOf(entity, states[hash.hash.state ?? ""]);
    if (deadline === due?.score) continue;
    const place = due === undefined ? "is not in due" : `is in due at ${timeWords(due.score)}`;
    const message = `${place}, but its deadline is ${deadline === undefined ? "none" : timeWords(deadline)}`;
    add(id, message, hash.line, due?.line ?? 0);
  }
}

/** Computes the deadline of an entity from its hash. A lease counts from the last renewal, else from entry. */
function deadlineOf({ hash }: TimedEntity, state: RunState | undefined): number | undefined {
  const [, entered = Number.NaN, renewed = 0] = (hash?.hash["times:ms"] ?? "").split(" ").map(Number);
  const ends = [
    state?.timeout && entered + state.timeout.after,
    state?.lease && (renewed || entered) + state.lease.for,
    state?.retain === undefined ? undefined : entered + state.retain,
  ].filter((end) => end !== undefined);
  return ends.length === 0 ? undefined : Math.min(...ends);
}
