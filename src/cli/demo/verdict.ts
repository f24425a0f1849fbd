import type { Change } from "../../contract/document.js";
import {
  agreesWithExits,
  agreesWithFinals,
  agreesWithIndex,
  agreesWithPublished,
} from "./agreement-checks.js";
import { type Check, type Evidence, groupBy } from "./evidence.js";
import { isContiguous, isLegal, losersWereTold, wonOnce } from "./history-checks.js";
import { leasesRanOut } from "./lease-check.js";

/**
 * Checks a race by what was seen of it. Each check stands for itself; the verdict is good when none has a fault.
 *
 * @example const ok = judge(evidence).every(({ faults }) => faults.length === 0);
 */
export function judge(evidence: Evidence): Check[] {
  const changes = evidence.log.map((text) => JSON.parse(text) as Change);
  const histories = { changes, byId: groupBy(changes, ({ id }) => id) };
  return [
    wonOnce(evidence, histories),
    losersWereTold(evidence, histories),
    isContiguous(evidence, histories),
    isLegal(evidence, histories),
    agreesWithPublished(evidence),
    agreesWithFinals(evidence, histories),
    agreesWithIndex(evidence),
    agreesWithExits(evidence, histories),
    leasesRanOut(evidence, histories),
  ];
}
