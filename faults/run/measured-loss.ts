import type { Details, Fault } from "../fault.js";
import type { InjectionResult } from "./injections.js";

function numbersOf(details: readonly Details[], field: string): number[] {
  return details.map((one) => one[field]).filter((value) => typeof value === "number");
}

/** What the injections of a fault have measured: how much was lost of what their own callers were told is done. */
function measuredOf({ fault, details }: InjectionResult): string[] {
  const measured = details.filter(
    ({ lost, acknowledged }) => lost !== undefined && acknowledged !== undefined,
  );
  if (measured.length === 0) return [];
  const sum = (field: string): number => numbersOf(measured, field).reduce((a, b) => a + b, 0);
  const most = (field: string): number => Math.max(0, ...numbersOf(measured, field));
  const allowed = allowedText(fault.loses, sum("lost"));
  const lost = `${sum("lost")} of ${sum("acknowledged")} acknowledged`;
  const span = sum("lost") === 0 ? "" : `, over at most ${most("lostSpanMs")} ms`;
  return [`  ${fault.name.padEnd(46)} ${lost}${span}; allowed: ${allowed}`];
}

/** A fault that loses what it may not fails by itself: where it lost something, that was on a server of its own. */
function allowedText(loses: Fault["loses"], lost: number): string {
  if (loses === false) return lost === 0 ? "none" : "all, on a server of its own that promises nothing";
  if (loses === true || loses.windowMs === null) return "any";
  return `those of the last ${loses.windowMs} ms before the fault, and during it`;
}

/** The loss that was measured, withOwnServer the loss that is allowed. */
export function measuredLines(injected: readonly InjectionResult[]): string[] {
  const lines = injected.flatMap(measuredOf).sort();
  return lines.length === 0 ? [] : ["measured loss, by callers that do nothing else", ...lines];
}
