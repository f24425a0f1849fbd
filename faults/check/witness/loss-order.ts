import type { Call } from "../facts.js";
import type { Findings } from "../report.js";
import { callWords } from "../words.js";
import type { LostChange } from "./claims.js";

/** An acknowledged change that is in the log. */
export interface KeptChange {
  readonly call: Call;
  readonly acknowledgedAt: number;
}

/**
 * Checks that a fault lost only the newest changes. If a change is lost, then none is kept that was requested after its
 * acknowledgement and acknowledged before the fault began.
 */
export function checkLossOrder(
  lost: readonly LostChange[],
  kept: readonly KeptChange[],
  findings: Findings,
): void {
  const newest = new Map<unknown, KeptChange | undefined>();
  for (const { call, acknowledgedAt, to } of lost) {
    if (!newest.has(to)) newest.set(to, newestBefore(kept, to.begin));
    const later = newest.get(to);
    if (later === undefined || later.call.at <= acknowledgedAt) continue;
    const message = `${callWords(call)} is lost, but ${callWords(later.call)} of ${later.call.entity.id}, requested after its acknowledgement and acknowledged before ${to.name} began, is not`;
    findings.add("loss-order", call.entity, message, call.line, call.returnLine, later.call.line);
  }
}

/** Returns the last requested change of those that were acknowledged before a time. */
function newestBefore(kept: readonly KeptChange[], time: number): KeptChange | undefined {
  let newest: KeptChange | undefined;
  for (const one of kept) {
    if (one.acknowledgedAt < time && (newest === undefined || one.call.at > newest.call.at)) newest = one;
  }
  return newest;
}
