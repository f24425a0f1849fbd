import type { Findings } from "../report.js";
import { keyOf, type LoggedChange, type TimedEntity, type TimedFacts, type WithLine } from "./facts.js";

/** Longest time from a sweep's request to its report, in ms. */
const REPORT_DELAY_MS = 2_500;
const NOT_APPLIED: ReadonlySet<string> = new Set([
  "CONFLICT",
  "ILLEGAL",
  "EXISTS",
  "MISSING",
  "EXPIRED",
  "NOTEXECUTED",
]);

/** Checks that each stay ends once, that reported changes are in the log once, and that rejected changes are not. */
export function checkTimedLog(facts: TimedFacts, findings: Findings): void {
  const logged = new Set<string>();
  for (const entity of facts.entities.values()) {
    for (const event of entity.events) logged.add(keyOf(event));
    checkStays(entity, findings, facts.machine);
    checkCalls(entity, facts, findings);
  }
  const reports = new Map<string, WithLine<TimedFacts["fired"][number]>>();
  for (const fired of facts.fired) {
    const key = keyOf(fired);
    const before = reports.get(key);
    reports.set(key, fired);
    const lostTo = facts.loss.of(fired.at - REPORT_DELAY_MS, fired.at);
    if (before !== undefined) {
      const message = `${fired.id}: ${fired.type} ${fired.version} was fired by ${before.process} and by ${fired.process}`;
      findings.add("once", undefined, message, before.line, fired.line);
    } else if (!logged.has(key)) {
      if (lostTo !== undefined) findings.lose("changes", lostTo);
      else
        findings.add(
          "once",
          undefined,
          `${fired.id}: ${fired.type} ${fired.version} was reported as fired but is not in the log`,
          fired.line,
        );
    }
  }
}

/** Checks that versions count up, and that each change leaves the state that the previous one entered. */
function checkStays({ id, events }: TimedEntity, findings: Findings, machine: string): void {
  let before: LoggedChange | undefined;
  for (const event of events) {
    const isSame = before !== undefined && before.type !== `${machine}.removed`;
    const follows = isSame
      ? event.version === (before?.version ?? 0) + 1 &&
        event.from === before?.state &&
        event.createdAt === before.createdAt
      : event.version === 1 && event.from === null;
    if (!follows) {
      const message = `${id}: ${event.type} ${event.version} from ${event.from} follows ${before === undefined ? "nothing" : `${before.type} ${before.version}`}`;
      findings.add("once", undefined, message, before?.line ?? 0, event.line);
    }
    before = event;
  }
}

/** Checks writes with an expected version: an acknowledged one must be the next version. */
function checkCalls({ id, calls, events }: TimedEntity, { loss }: TimedFacts, findings: Findings): void {
  for (const { call, end } of calls) {
    if (end === undefined) continue;
    const { op, ifVersion, at } = call;
    const made = events.filter((event) => event.op !== undefined && event.op === op);
    const words = `${id}: ${call.operation}${ifVersion === undefined ? "" : ` at version ${ifVersion}`}`;
    const { document } = end;
    // Another attempt may have made it: a copy, or a call with the same key.
    const isRejected = calls.every((one) => one.call.op !== op || NOT_APPLIED.has(one.end?.outcome ?? ""));
    if (isRejected && made.length > 0) {
      findings.add(
        "fence",
        undefined,
        `${words} was rejected but is in the log`,
        call.line,
        made[0]?.line ?? 0,
      );
    }
    if ((end.outcome !== "OK" && end.outcome !== "REPLAYED") || document === undefined) continue;
    const version = document.opVersion ?? document.version;
    if (ifVersion !== undefined && version !== ifVersion + 1) {
      findings.add("fence", undefined, `${words} made version ${version}`, call.line, end.line);
    }
    if (made.length === 1 && made[0]?.version === version) continue;
    const lostTo = loss.of(at, end.at);
    if (lostTo !== undefined) findings.lose("changes", lostTo);
    else {
      const message = `${words} was acknowledged as version ${version}, which the log does not have`;
      findings.add("fence", undefined, message, call.line, end.line, made[0]?.line ?? 0);
    }
  }
}
