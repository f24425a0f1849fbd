import type { WitnessReport } from "../check/witness.js";
import type { Verdict } from "./judge.js";
import type { RunOptions, RunResult } from "./run.js";

function counts(of: ReadonlyMap<string, number>): string {
  const parts = [...of].sort(([, a], [, b]) => b - a).map(([word, count]) => `${word} ${count}`);
  return parts.length === 0 ? "none" : parts.join(", ");
}

function lostText({ lost }: WitnessReport): string {
  if (lost.length === 0) return "no acknowledged change";
  return lost
    .map(
      ({ fault, changes, reads, events }) => `${fault}: ${changes} changes, ${reads} reads, ${events} events`,
    )
    .join("; ");
}

/** All that a run came to, for people. */
export function summary(
  options: RunOptions,
  { injected, fsck, problems }: RunResult,
  { tally, witness }: Verdict,
): { readonly text: string; readonly isWell: boolean } {
  const failures = injected.flatMap(({ fault, failures }) =>
    failures.map((text) => `${fault.name}: ${text}`),
  );
  const lines = [
    `operations   ${tally.calls} in ${((tally.ended - tally.begun) / 1000).toFixed(1)} s, ${Math.round(tally.perSecond)}/s: ${counts(tally.operations)}`,
    `outcomes     ${counts(tally.outcomes)}, cut short with their process ${tally.cutShort}`,
    `unknown      ${tally.outcomes.get("UNKNOWN") ?? 0}, resolved as: ${counts(tally.resolved)}`,
    `repeated     ${tally.repeats}, of which REPLAYED ${tally.outcomes.get("REPLAYED") ?? 0}`,
    `events       ${tally.logged} in the log, ${tally.events} read by followers in ${tally.follows} iterations, ${tally.gaps} gaps told`,
    `faults       ${injected.reduce((sum, one) => sum + one.injected, 0)} injected`,
    ...injected.map(
      ({ fault, injected, void: hitNothing, unavailable }) =>
        `  ${fault.name.padEnd(44)} ${String(injected).padStart(5)}${hitNothing > 0 ? ` (${hitNothing} void)` : ""}${unavailable === undefined ? "" : ` NOT INJECTED: ${unavailable}`}`,
    ),
    `lost         ${lostText(witness)}`,
    `witness      ${witness.count === 0 ? "no violation" : `${witness.count} VIOLATIONS (${counts(new Map(Object.entries(witness.byRule)))})`} in ${witness.changes} changes of ${witness.entities} entities`,
    ...witness.violations
      .slice(0, 10)
      .map(({ rule, message, lines }) => `  ${rule}: ${message} (lines ${lines.join(", ")})`),
    `fsck         ${fsck.isClean ? "clean" : "DAMAGE"}: ${fsck.text.split("\n").at(-1)}`,
    ...problems.slice(0, 20).map((text) => `problem      ${text}`),
    ...failures.slice(0, 20).map((text) => `failure      ${text}`),
    `history      ${options.history}`,
    `repeat       ${options.command}`,
  ];
  return {
    text: lines.join("\n"),
    isWell: witness.count === 0 && fsck.isClean && problems.length === 0 && failures.length === 0,
  };
}
