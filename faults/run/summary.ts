import type { LinearReport } from "../check/linear/linear.js";
import type { Violation } from "../check/report.js";
import type { TimedReport } from "../check/timed/timed.js";
import type { WitnessReport } from "../check/witness/witness.js";
import type { InjectionResult } from "./injections.js";
import type { Verdict } from "./judge.js";
import { measuredLines } from "./measured-loss.js";
import type { RunOptions, RunResult } from "./run.js";
import type { Tally } from "./tally.js";

const SHOWN = 20;

/** Formats the results of a run, and decides whether it passed. */
export function summary(
  options: RunOptions,
  { injected, fsck, timedFsck, problems }: RunResult,
  { tally, witness, linear, timed }: Verdict,
): { readonly text: string; readonly isPassed: boolean } {
  const failures = injected.flatMap(({ fault, failures }) =>
    failures.map((text) => `${fault.name}: ${text}`),
  );
  const unavailable = unavailableKinds(options, injected);
  const isPassed =
    witness.count + linear.count + timed.count === 0 &&
    problems.length + failures.length + tally.errors.length === 0 &&
    // An undecided segment is neither correct nor wrong.
    linear.undecided === 0 &&
    (unavailable.length === 0 || options.allowUnavailable) &&
    fsck.isClean &&
    timedFsck.isClean;
  const lines = [
    ...loadLines(tally),
    ...faultLines(injected),
    `lost          ${lostText(witness)}`,
    ...measuredLines(injected),
    `witness       ${verdictText(witness.count, witness.byRule)}: ${witness.changes} changes of ${witness.entities} entities`,
    ...violationLines(witness.violations),
    `linearizable  ${linearText(linear)}`,
    ...violationLines(linear.violations),
    ...undecidedLines(linear),
    ...timedLines(timed),
    `fsck          ${fsck.isClean ? `clean${repairedText(fsck)}` : `DAMAGE: ${fsck.text}`}`,
    ...(timedFsck.isClean ? [] : [`timed fsck    DAMAGE: ${timedFsck.text}`]),
    ...problems.slice(0, SHOWN).map((text) => `problem       ${text}`),
    ...tally.errors.slice(0, SHOWN).map((text) => `error         ${text}`),
    ...failures.slice(0, SHOWN).map((text) => `failure       ${text}`),
    ...unavailableLines(unavailable, options.allowUnavailable),
    `verdict       ${isPassed ? "passed" : "FAILED"}`,
    `history       ${options.history}`,
    `seed          ${options.seed}`,
    `repeat        ${options.command}`,
  ];
  return { text: lines.join("\n"), isPassed };
}

function loadLines(tally: Tally): string[] {
  const seconds = (tally.ended - tally.begun) / 1000;
  const unknown = tally.outcomes.get("UNKNOWN") ?? 0;
  return [
    `operations    ${tally.calls} in ${seconds.toFixed(1)} s, ${Math.round(tally.perSecond)} per second (${counts(tally.operations)})`,
    `outcomes      ${counts(tally.outcomes)}`,
    `unknown       ${unknown}, resolved as: ${counts(tally.resolved)}; unresolved: ${tally.unresolved}; interrupted with their process: ${tally.interrupted}`,
    `not executed  ${tally.outcomes.get("NOTEXECUTED") ?? 0}`,
    `retries       ${tally.retries} by another call with the same idempotency key; REPLAYED ${tally.outcomes.get("REPLAYED") ?? 0}, FORGOTTEN ${tally.outcomes.get("FORGOTTEN") ?? 0}`,
    `copies        ${tally.copies} requests delivered again; outcomes that no caller got: ${counts(tally.copied)}`,
    `events        ${tally.logged} in the log; followers read ${tally.events} in ${tally.follows} iterations and got ${tally.gaps} gaps`,
  ];
}

function faultLines(injected: readonly InjectionResult[]): string[] {
  const total = injected.reduce((sum, one) => sum + one.injected, 0);
  const nothing = injected.reduce((sum, one) => sum + one.void, 0);
  const order = [...injected].sort(
    (a, b) => numberOf(a) - numberOf(b) || (a.fault.name < b.fault.name ? -1 : 1),
  );
  return [
    `faults        ${total} injected of ${injected.length} kinds; ${nothing} more had no effect and were repeated`,
    ...order.map((one) => {
      const repeated = one.void > 0 ? `  (${one.void} void)` : "";
      const left = one.unavailable === undefined ? "" : "  UNAVAILABLE";
      return `  ${one.fault.name.padEnd(46)} ${String(one.injected).padStart(5)}${repeated}${cutText(one)}${left}`;
    }),
  ];
}

/** Formats how many places a file was cut at, of all possible places. */
function cutText({ details }: InjectionResult): string {
  const { cutSoFar, places } = details.at(-1) ?? {};
  return cutSoFar === undefined ? "" : `  (cut at ${cutSoFar} of ${places} places)`;
}

function numberOf({ fault }: InjectionResult): number {
  return Number(/^F(\d+)/.exec(fault.name)?.[1] ?? 0);
}

function lostText({ lost }: WitnessReport): string {
  if (lost.length === 0) return "no acknowledged change";
  return lost
    .map(
      ({ fault, changes, reads, events }) =>
        `${changes} acknowledged changes to ${fault}, as permitted by the setting (before, ${reads} reads and ${events} events had shown them)`,
    )
    .join("; ");
}

function timedLines(timed: TimedReport): string[] {
  const { renewals, holds, losses, expiries, events, handled, deadLetters, lost } = timed;
  const lostTo = lost.map(
    (one) => `${one.changes} changes and ${one.renewals ?? 0} renewals to ${one.fault}`,
  );
  return [
    `timed         ${verdictText(timed.count, timed.byRule)}: ${renewals} renewals for ${holds} holds, ${losses} reported as lost; ${expiries} timers fired; ${events} events, ${handled} times handled, ${deadLetters} dead letters`,
    ...(lostTo.length === 0 ? [] : [`  lost, as permitted by the setting: ${lostTo.join("; ")}`]),
    ...violationLines(timed.violations),
  ];
}

function repairedText({ repaired }: RunResult["fsck"]): string {
  return repaired === 0 ? "" : `, after ${repaired} entities that a clock had dated ahead were repaired`;
}

/** Formats the result. A FORGOTTEN counts as a read, and perhaps as an applied change: so there may be more than calls. */
function linearText({ count, segments, operations, steps }: LinearReport): string {
  const what = `${operations} changes (applied, or perhaps applied) and reads (a call may be both)`;
  return `${verdictText(count, {})}: ${what} in ${segments} segments, ${steps} steps`;
}

function undecidedLines({ undecided }: LinearReport): string[] {
  if (undecided === 0) return [];
  return [`undecided     ${undecided} SEGMENTS: the search was too long to decide`];
}

function verdictText(count: number, byRule: Readonly<Record<string, number>>): string {
  if (count === 0) return "no violation";
  const rules = counts(new Map(Object.entries(byRule)));
  return `${count} VIOLATIONS${rules === "none" ? "" : ` (${rules})`}`;
}

function violationLines(violations: readonly Violation[]): string[] {
  return violations
    .slice(0, SHOWN)
    .map(({ rule, message, lines }) => `  ${rule}: ${message} (lines ${lines.join(", ")})`);
}

function counts(of: ReadonlyMap<string, number>): string {
  const parts = [...of].sort(([, a], [, b]) => b - a).map(([word, count]) => `${word} ${count}`);
  return parts.length === 0 ? "none" : parts.join(", ");
}

/** Lists the kinds of faults that were planned and could not be injected, with the reason. */
export function unavailableKinds(
  { faults, injections }: Pick<RunOptions, "faults" | "injections">,
  injected: readonly InjectionResult[],
): string[] {
  if (injections === 0) return [];
  const results = new Map(injected.map((one) => [one.fault.name, one]));
  return faults.flatMap(({ name }) => {
    const one = results.get(name);
    const reason = one === undefined ? "the run ended before it" : one.unavailable;
    return reason === undefined ? [] : [`${name}: ${reason}`];
  });
}

/** Formats the unavailable kinds. */
export function unavailableLines(unavailable: readonly string[], isAllowed: boolean): string[] {
  if (unavailable.length === 0) return [];
  const kinds =
    unavailable.length === 1 ? "1 kind of fault was" : `${unavailable.length} kinds of faults were`;
  const todo = isAllowed
    ? "allowed by --allow-unavailable"
    : "install what each one needs, or use --allow-unavailable";
  return [`unavailable   ${kinds} unavailable here; ${todo}`, ...unavailable.map((line) => `  ${line}`)];
}
