import type { RunState } from "../../history/records.js";
import { isAmid } from "../loss.js";
import type { Findings } from "../report.js";
import { FARTHEST_AHEAD_MS } from "../witness/log.js";
import type { LoggedChange, TimedEntity, TimedFacts } from "./facts.js";

/** Clocks are read in whole ms. */
const ROUNDING_MS = 3;
/** Longest delay of a timer in a process. */
const MAX_DELAY_MS = 150;

const REASON =
  /^(timeout|lease|retention) of \S+ expired at (\S+), (?:last renewed at|never renewed since|\S+ since) (\S+)$/;

/** An expiry in the log. Times are ms of the server's clock. */
interface Expiry {
  readonly what: "timeout" | "lease" | "retention";
  readonly event: LoggedChange;
  /** The change whose state it ended. */
  readonly stay: LoggedChange;
  readonly firedAt: number;
  readonly dueAt: number;
  readonly countedFrom: number;
  readonly line: number;
}

/** Checks each expiry against the machine, the confirmed renewals, and what holders believed. */
export function checkLeases(facts: TimedFacts, findings: Findings): void {
  const expiries = new Map<string, Expiry[]>();
  for (const entity of facts.entities.values()) {
    const own = entity.events.flatMap((event, at) => {
      if (event.actor !== "latchkey") return [];
      const stay = entity.events[at - 1];
      const expiry = stay && readExpiry(stay, event);
      if (expiry !== undefined) return [expiry];
      findings.add(
        "once",
        undefined,
        `${entity.id}: the reason does not name a timer: ${event.reason}`,
        event.line,
      );
      return [];
    });
    expiries.set(entity.id, own);
    for (const expiry of own) checkExpiry(facts, findings, entity, expiry);
  }
  checkHolders(facts, findings, expiries);
}

function readExpiry(stay: LoggedChange, event: LoggedChange): Expiry | undefined {
  const { reason = "", timestamp, line } = event;
  const [, what, due = "", from = ""] = REASON.exec(reason) ?? [];
  if (what !== "timeout" && what !== "lease" && what !== "retention") return undefined;
  const times = {
    firedAt: Date.parse(timestamp),
    dueAt: Date.parse(due),
    countedFrom: Date.parse(from),
  };
  return { what, event, stay, line, ...times };
}

function lengthOf(state: RunState | undefined, what: Expiry["what"]): number | undefined {
  if (what === "lease") return state?.lease?.for;
  return what === "timeout" ? state?.timeout?.after : state?.retain;
}

function checkExpiry(facts: TimedFacts, findings: Findings, entity: TimedEntity, expiry: Expiry): void {
  const { what, event, stay, firedAt, dueAt, countedFrom, line } = expiry;
  const add = (message: string, ...lines: number[]): void =>
    findings.add("lease", undefined, `${entity.id}: ${message}`, line, ...lines);
  const length = lengthOf(facts.states[stay.state], what);
  if (length === undefined) {
    add(`a ${what} of ${stay.state} expired, which has none`);
    return;
  }
  if (dueAt !== countedFrom + length) add(`the ${what} did not last ${length} ms`);
  if (firedAt < dueAt) add(`the ${what} was fired ${dueAt - firedAt} ms early`);
  const entered = Date.parse(stay.since);
  // If an entity is dated ahead, all its times are corrected when it is touched, also those that are hardly ahead.
  const reportedAt = reportOf(facts, entity.id, event);
  const isCorrected = wasDatedAhead(facts, entity, stay, countedFrom);
  if (!isCorrected && (what === "lease" ? countedFrom < entered : countedFrom !== entered)) {
    add(`the ${what} does not count from the entry into ${stay.state}`, stay.line);
  }
  if (what !== "lease") return;
  for (const renewal of entity.renewals) {
    const { at, until } = renewal;
    // If the clock was set between the renewal and the expiry, their timestamps cannot be compared.
    if (isAmid(facts.clocks, at, reportedAt)) continue;
    const least = at + facts.clock.least - ROUNDING_MS;
    if (countedFrom >= least) continue;
    const lostTo = facts.loss.of(at, until);
    if (lostTo !== undefined) findings.lose("renewals", lostTo);
    else {
      const message = `the lease expired although a renewal was confirmed ${Math.round(least - countedFrom)} ms later than it counts from`;
      add(message, renewal.line);
    }
  }
}

/**
 * Returns true if an entity may have been dated ahead, so that a script corrected its times: its last change was far after
 * the time from which its timer counts, or a holder renewed while a clock was set, and that renewal was dated far ahead.
 */
function wasDatedAhead(
  { clocks }: TimedFacts,
  { renewals }: TimedEntity,
  stay: LoggedChange,
  countedFrom: number,
): boolean {
  if (clocks.length === 0) return false;
  if (Date.parse(stay.timestamp) - countedFrom > FARTHEST_AHEAD_MS) return true;
  return renewals.some(({ since, at, until }) => since === stay.since && isAmid(clocks, at, until));
}

/** Returns the time until which an expiry had certainly fired: that of its report, on the monotonic clock. */
function reportOf({ fired }: TimedFacts, id: string, { type }: LoggedChange): number {
  return fired.find((one) => one.id === id && one.type === type)?.at ?? Number.POSITIVE_INFINITY;
}

function checkHolders(
  facts: TimedFacts,
  findings: Findings,
  expiries: ReadonlyMap<string, readonly Expiry[]>,
): void {
  for (const held of facts.held) {
    const { id, until } = held;
    const renewals = (facts.entities.get(id)?.renewals ?? []).filter(
      (one) => one.process === held.process && one.at <= until,
    );
    const last = renewals.reduce<(typeof renewals)[number] | undefined>(
      (a, b) => (a === undefined || b.at > a.at ? b : a),
      undefined,
    );
    const expiry = expiries.get(id)?.find((one) => one.what === "lease");
    if (last === undefined) {
      findings.add("holder", undefined, `${id} is held without a confirmed renewal`, held.line);
      continue;
    }
    const length = lengthOf(facts.states.held ?? undefined, "lease") ?? 0;
    // This uses the holder's own clock, whatever happens to the server and its clock.
    if (until > last.at + length + MAX_DELAY_MS) {
      const message = `${held.process} believed that it held it ${Math.round(until - last.at - length)} ms after the lease that was last confirmed to it`;
      findings.add("holder", undefined, `${id}: ${message}`, held.line, last.line);
    }
    if (expiry === undefined) continue;
    const endedAt = expiry.firedAt - facts.clock.least;
    if (until <= endedAt + MAX_DELAY_MS + ROUNDING_MS) continue;
    // A server whose clock is set forward fires timers early, and the timestamps of one that is set back are early.
    if (isAmid(facts.clocks, last.at, Math.max(until, reportOf(facts, id, expiry.event)))) continue;
    // It was counted with the expiry.
    if (facts.loss.of(last.at, last.until) !== undefined) continue;
    const message = `${held.process} believed that it held it ${Math.round(until - endedAt)} ms after it had expired`;
    findings.add("holder", undefined, `${id}: ${message}`, held.line, expiry.line);
  }
}
