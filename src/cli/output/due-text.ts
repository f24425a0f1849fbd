import { ageText } from "./age.js";

/**
 * When something is due, for people.
 *
 * @example
 * dueText(90_000, 60_000); // "in 30s"
 * dueText(60_000, 90_000); // "30s over"
 */
export function dueText(dueMs: number, nowMs: number): string {
  return dueMs > nowMs ? `in ${ageText(dueMs - nowMs)}` : `${ageText(nowMs - dueMs)} over`;
}
