import type { Details, Fault } from "../fault.js";
import type { InjectionResult } from "./injections.js";

function numbersOf(details: readonly Details[], field: string): number[] {
  return details.map((one) => one[field]).filter((value) => typeof value === "number");
}

/** Describes what the injections of a fault measured: how many changes were lost that their own callers saw acknowledged. */
function measuredOf({ fault, details }: InjectionResult): string[] {
  const measured = details.filter(
    ({ lost, acknowledged }) => lost !== undefined && acknowledged !== undefined,
  );
  if (measured.length === 0) return [];
  const sum = (field: string): number => numbersOf(measured, field).reduce((a, b) => a + b, 0);
  const most = (field: string): number => Math.max(0, ...numbersOf(measured, field));
  const permitted = permittedText(fault.loses, sum("lost"));
  const lost = `${sum("lost")} of ${sum("acknowledged")} acknowledged`;
  const span = sum("lost") === 0 ? "" : `, within ${most("lostSpanMs")} ms`;
  return [`  ${fault.name.padEnd(46)} ${lost}${span}; permitted: ${permitted}`];
}

/** Describes the permitted loss. A fault that loses more fails, unless it runs on its own server, which promises nothing. */
function permittedText(loses: Fault["loses"], lost: number): string {
  if (loses === false) return lost === 0 ? "none" : "all (own server without a guarantee)";
  if (loses === true || loses.windowMs === null) return "any";
  return `the last ${loses.windowMs} ms before the fault, and during it`;
}

/** Lists the measured loss of each fault next to the permitted loss. */
export function measuredLines(injected: readonly InjectionResult[]): string[] {
  const lines = injected.flatMap(measuredOf).sort();
  return lines.length === 0 ? [] : ["measured loss (callers that only measure)", ...lines];
}
