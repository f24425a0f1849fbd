import type { Call, Entity } from "../facts.js";
import { type Injection, isAmid } from "../loss.js";
import type { Findings } from "../report.js";
import { callWords, timeWords } from "../words.js";
import { FARTHEST_AHEAD_MS } from "./log.js";
import type { Requests } from "./requests.js";

/**
 * Checks that nothing is applied after its time limit, or after its caller got the assurance that it never will be. Only
 * a server's clock that was set meanwhile permits it.
 */
export function checkFinality(
  entity: Entity,
  requests: Requests,
  clocks: readonly Injection[],
  findings: Findings,
): void {
  for (const calls of requests.values()) {
    const makers = calls.filter(hasMade);
    for (const maker of makers) {
      const { observation, notAfter = Number.POSITIVE_INFINITY, at, until } = maker;
      if (observation === undefined || observation.timestamp <= notAfter) continue;
      // A timestamp is ahead of the clock for a while after the clock was set back.
      if (isAmid(clocks, at - FARTHEST_AHEAD_MS, until)) continue;
      const message = `${callWords(maker)} was applied at ${timeWords(observation.timestamp)}, after its limit ${timeWords(notAfter)}`;
      findings.add("rejections", entity, message, maker.line, maker.returnLine);
    }
    for (const { resolved, at } of calls) {
      if (resolved?.outcome !== "NOTDONE") continue;
      // Another call with the same key is another attempt, and may have been copied.
      if (calls.some((other) => !other.isCopy && other.at > resolved.at)) continue;
      const late = makers.find((maker) => maker.at > resolved.at && !isAmid(clocks, at, maker.until));
      if (late === undefined) continue;
      const message = `${callWords(late)} was applied after the change had been resolved as never applied`;
      findings.add("rejections", entity, message, resolved.line, late.line, late.returnLine);
    }
  }
}

/** Returns true if this call itself applied its change. */
function hasMade({ outcome, observation, operation }: Call): boolean {
  return operation !== "get" && outcome === "OK" && observation?.opVersion === undefined;
}
