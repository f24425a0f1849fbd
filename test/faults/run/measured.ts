import type { Details } from "../fault.js";
import type { Injected } from "./injections.js";

function numbersOf(details: readonly Details[], field: string): number[] {
  return details.map((one) => one[field]).filter((value) => typeof value === "number");
}

/** What the injections of a fault have measured: how much was lost of what their own callers were told is done. */
function measuredOf({ fault, details }: Injected): string[] {
  const measured = details.filter(
    ({ lost, acknowledged }) => lost !== undefined && acknowledged !== undefined,
  );
  if (measured.length === 0) return [];
  const sum = (field: string): number => numbersOf(measured, field).reduce((a, b) => a + b, 0);
  const most = (field: string): number => Math.max(0, ...numbersOf(measured, field));
  const allowed =
    fault.loses === false ? "none" : fault.loses === true ? "any" : windowText(fault.loses.windowMs);
  const lost = `${sum("lost")} of ${sum("acknowledged")} acknowledged`;
  const span = sum("lost") === 0 ? "" : `, over at most ${most("lostSpanMs")} ms`;
  return [`  ${fault.name.padEnd(46)} ${lost}${span}; allowed: ${allowed}`];
}

function windowText(windowMs: number | null): string {
  return windowMs === null ? "any" : `those of the last ${windowMs} ms`;
}

/** The loss that was measured, beside the loss that is allowed. */
export function measuredLines(injected: readonly Injected[]): string[] {
  const lines = injected.flatMap(measuredOf).sort();
  return lines.length === 0 ? [] : ["measured loss, by callers that do nothing else", ...lines];
}
