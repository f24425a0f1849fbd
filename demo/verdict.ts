import type { Change } from "latchkey";
import {
  agreesWithExits,
  agreesWithFinals,
  agreesWithIndex,
  agreesWithPublished,
} from "./agreement-checks.js";
import { type Check, type Evidence, groupBy } from "./evidence.js";
import { isContiguous, isLegal, losersGotTheWinner, wonOnce } from "./history-checks.js";
import { leasesExpired } from "./lease-check.js";

/**
 * Checks a race by the evidence. The race is correct if no check has a fault.
 *
 * @example const ok = judge(evidence).every(({ faults }) => faults.length === 0);
 */
export function judge(evidence: Evidence): Check[] {
  const changes = evidence.log.map((text) => JSON.parse(text) as Change);
  const histories = { changes, byId: groupBy(changes, ({ id }) => id) };
  return [
    wonOnce(evidence, histories),
    losersGotTheWinner(evidence, histories),
    isContiguous(evidence, histories),
    isLegal(evidence, histories),
    agreesWithPublished(evidence),
    agreesWithFinals(evidence, histories),
    agreesWithIndex(evidence),
    agreesWithExits(evidence, histories),
    leasesExpired(evidence, histories),
  ];
}
