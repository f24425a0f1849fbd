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

/** All that a run came to, for people, and whether all is well. */
export function summary(
  options: RunOptions,
  { injected, fsck, timedFsck, problems }: RunResult,
  { tally, witness, linear, timed }: Verdict,
): { readonly text: string; readonly isWell: boolean } {
  const failures = injected.flatMap(({ fault, failures }) =>
    failures.map((text) => `${fault.name}: ${text}`),
  );
  const unavailable = unavailableKinds(options, injected);
  const isWell =
    witness.count + linear.count + timed.count === 0 &&
    problems.length + failures.length + tally.errors.length === 0 &&
    // Neither right nor wrong: then nobody knows.
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
    `fsck          ${fsck.isClean ? "clean" : `DAMAGE: ${fsck.text}`}`,
    ...(timedFsck.isClean ? [] : [`fsck by time  DAMAGE: ${timedFsck.text}`]),
    ...problems.slice(0, SHOWN).map((text) => `problem       ${text}`),
    ...tally.errors.slice(0, SHOWN).map((text) => `error         ${text}`),
    ...failures.slice(0, SHOWN).map((text) => `failure       ${text}`),
    ...unavailableLines(unavailable, options.allowUnavailable),
    `verdict       ${isWell ? "all is well" : "NOT WELL"}`,
    `history       ${options.history}`,
    `seed          ${options.seed}`,
    `again         ${options.command}`,
  ];
  return { text: lines.join("\n"), isWell };
}

function loadLines(tally: Tally): string[] {
  const seconds = (tally.ended - tally.begun) / 1000;
  const unknown = tally.outcomes.get("UNKNOWN") ?? 0;
  return [
    `operations    ${tally.calls} in ${seconds.toFixed(1)} s, ${Math.round(tally.perSecond)} a second (${counts(tally.operations)})`,
    `outcomes      ${counts(tally.outcomes)}`,
    `unknown       ${unknown}, resolved as: ${counts(tally.resolved)}; asked in vain: ${tally.unresolved}; cut short with their process: ${tally.interrupted}`,
    `not executed  ${tally.outcomes.get("NOTEXECUTED") ?? 0}`,
    `repeated      ${tally.retries} with the same op and sent; REPLAYED ${tally.outcomes.get("REPLAYED") ?? 0}, FORGOTTEN ${tally.outcomes.get("FORGOTTEN") ?? 0}`,
    `events        ${tally.logged} in the log; followers read ${tally.events} in ${tally.follows} iterations, and were told of ${tally.gaps} gaps`,
  ];
}

function faultLines(injected: readonly InjectionResult[]): string[] {
  const total = injected.reduce((sum, one) => sum + one.injected, 0);
  const nothing = injected.reduce((sum, one) => sum + one.void, 0);
  const order = [...injected].sort(
    (a, b) => numberOf(a) - numberOf(b) || (a.fault.name < b.fault.name ? -1 : 1),
  );
  return [
    `faults        ${total} injected of ${injected.length} kinds; ${nothing} more hit nothing and were repeated`,
    ...order.map((one) => {
      const repeated = one.void > 0 ? `  (${one.void} void)` : "";
      const left = one.unavailable === undefined ? "" : "  LEFT OUT";
      return `  ${one.fault.name.padEnd(46)} ${String(one.injected).padStart(5)}${repeated}${cutText(one)}${left}`;
    }),
  ];
}

/** How many places a file was cut at, of all those where the last injection might have cut it. */
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
        `${changes} acknowledged changes to ${fault}, as it may (seen before by ${reads} reads and ${events} events)`,
    )
    .join("; ");
}

function timedLines(timed: TimedReport): string[] {
  const { renewals, holds, losses, expiries, events, handled, deadLetters, lost } = timed;
  const lostTo = lost.map(
    (one) => `${one.changes} changes and ${one.renewals ?? 0} renewals to ${one.fault}`,
  );
  return [
    `by time       ${verdictText(timed.count, timed.byRule)}: ${renewals} renewals for ${holds} holds, ${losses} told as lost; ${expiries} timers fired; ${events} events, ${handled} times handled, ${deadLetters} dead letters`,
    ...(lostTo.length === 0 ? [] : [`  lost, as it may: ${lostTo.join("; ")}`]),
    ...violationLines(timed.violations),
  ];
}

/** A call that was told NOTFOUND is a look, and may have made its change before: so there may be more than calls. */
function linearText({ count, segments, operations, steps }: LinearReport): string {
  const what = `${operations} changes (made, or perhaps made) and looks at an entity (a call may be both)`;
  return `${verdictText(count, {})}: ${what} in ${segments} segments, ${steps} steps`;
}

function undecidedLines({ undecided }: LinearReport): string[] {
  if (undecided === 0) return [];
  return [`undecided     ${undecided} SEGMENTS: no order was found for them in time, nor that there is none`];
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

/** The kinds of faults that were to be injected and could not be, and what that takes. */
export function unavailableKinds(
  { faults, injections }: Pick<RunOptions, "faults" | "injections">,
  injected: readonly InjectionResult[],
): string[] {
  if (injections === 0) return [];
  const told = new Map(injected.map((one) => [one.fault.name, one]));
  return faults.flatMap(({ name }) => {
    const one = told.get(name);
    const reason = one === undefined ? "the run ended before its turn" : one.unavailable;
    return reason === undefined ? [] : [`${name}: ${reason}`];
  });
}

/** The same for people. */
export function unavailableLines(unavailable: readonly string[], isAllowed: boolean): string[] {
  if (unavailable.length === 0) return [];
  const kinds =
    unavailable.length === 1 ? "1 kind of fault was" : `${unavailable.length} kinds of faults were`;
  const todo = isAllowed
    ? "allowed by --allow-unavailable"
    : "install what each one needs, or use --allow-unavailable";
  return [
    `unavailable   ${kinds} chosen and could not be injected; ${todo}`,
    ...unavailable.map((line) => `  ${line}`),
  ];
}
