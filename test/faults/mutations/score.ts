import { gather } from "../../../faults/check/gather.js";
import { linear } from "../../../faults/check/linear/linear.js";
import type { Rule } from "../../../faults/check/report.js";
import { witness } from "../../../faults/check/witness/witness.js";
import type { HistoryRecord } from "../../../faults/history/records.js";
import { Random } from "../../../faults/random.js";
import { ANSWER_MUTATIONS } from "./answer-mutations.js";
import { CHANGE_MUTATIONS } from "./change-mutations.js";
import { EditableHistory } from "./editable-history.js";
import { FOLLOWER_MUTATIONS } from "./follower-mutations.js";
import { LOG_MUTATIONS } from "./log-mutations.js";
import type { Mutation } from "./mutation.js";
import { STATE_MUTATIONS } from "./state-mutations.js";

/** Lists every mutation of a history. */
export const MUTATIONS: readonly Mutation[] = [
  ...CHANGE_MUTATIONS,
  ...LOG_MUTATIONS,
  ...ANSWER_MUTATIONS,
  ...STATE_MUTATIONS,
  ...FOLLOWER_MUTATIONS,
];

/** Counts the results of one mutation. */
export interface MutationScore {
  readonly name: string;
  readonly rule: Rule;
  readonly isVisible: boolean;
  injected: number;
  /** Found by the witness checker, and by the required rule. */
  witness: number;
  byRule: number;
  /** Found by the linearizability checker. It need not find what callers cannot see. */
  wgl: number;
}

/**
 * Makes mutated histories, `times` by each mutation at random places, and counts what the checkers find.
 *
 * @param records a correct history
 */
export async function mutationScore(
  records: readonly HistoryRecord[],
  seed: number,
  times = 5,
): Promise<MutationScore[]> {
  const scores: MutationScore[] = [];
  // Followers would notice most errors of a log, so the other rules are tested without them.
  const alone = records.filter((record) => !("follower" in record));
  for (const mutation of MUTATIONS) {
    const { name, rule, isVisible, inject } = mutation;
    const score: MutationScore = { name, rule, isVisible, injected: 0, witness: 0, byRule: 0, wgl: 0 };
    for (let time = 0; time < times; time += 1) {
      const history = new EditableHistory(
        rule === "followers" ? records : alone,
        new Random(seed * 1000 + time),
      );
      if (!inject(history)) continue;
      const facts = await gather(history.result());
      const found = witness(facts);
      score.injected += 1;
      if (found.count > 0) score.witness += 1;
      if (found.byRule[rule] !== undefined) score.byRule += 1;
      if (linear(facts).count > 0) score.wgl += 1;
    }
    scores.push(score);
  }
  return scores;
}

/** Adds the scores of several histories. */
export function addScores(all: readonly (readonly MutationScore[])[]): MutationScore[] {
  const sum = new Map<string, MutationScore>();
  for (const score of all.flat()) {
    const one = sum.get(score.name);
    if (one === undefined) sum.set(score.name, { ...score });
    else for (const count of ["injected", "witness", "byRule", "wgl"] as const) one[count] += score[count];
  }
  return [...sum.values()];
}

/** Formats the scores as a table; `-` if callers cannot see the error. */
export function mutationTable(scores: readonly MutationScore[]): string {
  const rows = scores.map(({ name, injected, witness: caught, wgl, isVisible }) => {
    return [name, String(injected), String(caught), isVisible ? String(wgl) : "-"];
  });
  const all = [["mutation", "injected", "witness", "WGL"], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const lineOf = (row: readonly string[]): string =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join("  ");
  return all.map(lineOf).join("\n");
}
