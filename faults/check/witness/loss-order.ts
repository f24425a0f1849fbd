import type { Call } from "../facts.js";
import type { Findings } from "../report.js";
import { callWords } from "../words.js";
import type { LostChange } from "./claims.js";

/** A change that is in the log, and its caller was told so. */
export interface KeptChange {
  readonly call: Call;
  readonly told: number;
}

/**
 * What a fault lost is the end of what there was before it: where a change is lost, none is kept that was asked for after
 * that was acknowledged, and was itself acknowledged before the fault began.
 */
export function checkHoles(
  lost: readonly LostChange[],
  kept: readonly KeptChange[],
  findings: Findings,
): void {
  const newest = new Map<unknown, KeptChange | undefined>();
  for (const { call, told, to } of lost) {
    if (!newest.has(to)) newest.set(to, newestBefore(kept, to.begin));
    const later = newest.get(to);
    if (later === undefined || later.call.at <= told) continue;
    const message = `${callWords(call)} is lost, but ${callWords(later.call)} of ${later.call.entity.id}, asked for after it was acknowledged and acknowledged before ${to.name} began, is not`;
    findings.add("holes", call.entity, message, call.line, call.returnLine, later.call.line);
  }
}

/** The last to be asked for of those that were acknowledged before a time. */
function newestBefore(kept: readonly KeptChange[], time: number): KeptChange | undefined {
  let newest: KeptChange | undefined;
  for (const one of kept) {
    if (one.told < time && (newest === undefined || one.call.at > newest.call.at)) newest = one;
  }
  return newest;
}
