import type { RunState } from "../../history/records.js";
import type { Findings } from "../report.js";
import { timeWords } from "../words.js";
import type { TimedEntity, TimedFacts } from "./facts.js";

/** Once sweepers had run, nothing is past due, and all that has a deadline is where sweepers find it. */
export function checkEnd({ entities, states, swept }: TimedFacts, findings: Findings): void {
  if (swept === undefined) {
    findings.add("overdue", undefined, "nobody swept at the end");
    return;
  }
  const add = (id: string, message: string, ...lines: number[]): void =>
    findings.add("overdue", undefined, `${id}: ${message}`, swept.line, ...lines);
  for (const id of swept.stuck) add(id, "is listed as stuck");
  for (const entity of entities.values()) {
    const { id, hash, due } = entity;
    if (due !== undefined && due.score <= swept.untilMs) {
      add(id, `was due at ${timeWords(due.score)}, before sweepers ended`, due.line);
    }
    if (hash === undefined) {
      if (due !== undefined) add(id, "is due, and not there", due.line);
      continue;
    }
    const deadline = deadlineOf(entity, states[hash.hash.state ?? ""]);
    if (deadline === due?.score) continue;
    const place = due === undefined ? "has no place in due" : `stands at ${timeWords(due.score)}`;
    const message = `${place}, and its deadline is ${deadline === undefined ? "none" : timeWords(deadline)}`;
    add(id, message, hash.line, due?.line ?? 0);
  }
}

/** What follows from the entity itself. */
function deadlineOf({ hash }: TimedEntity, state: RunState | undefined): number | undefined {
  const since = Number(hash?.hash.since);
  const renewed = Math.max(since, Number(hash?.hash["lease:at"] ?? since));
  const ends = [
    state?.timeout && since + state.timeout.after,
    state?.lease && renewed + state.lease.for,
    state?.retain === undefined ? undefined : since + state.retain,
  ].filter((end) => end !== undefined);
  return ends.length === 0 ? undefined : Math.min(...ends);
}
