import type { Call, Entity, LogEntry, ParsedObservation } from "../facts.js";
import { differingField } from "../field-map.js";
import type { LossyInjection } from "../loss.js";
import { type Position, positionText, removalPosition } from "../position.js";
import type { Findings } from "../report.js";
import { callWords, changeWords, observationWords, timeWords } from "../words.js";
import { kindOf } from "./log.js";
import type { Requests } from "./requests.js";

/** An acknowledged change that is not in the log, and the fault that may have lost it. */
export interface LostChange {
  readonly call: Call;
  /** Time of the acknowledgement. */
  readonly acknowledgedAt: number;
  readonly to: LossyInjection;
}

/** Collects the calls of one change in the log. */
export interface Evidence {
  readonly event: LogEntry;
  readonly calls: readonly Call[];
  /** It was applied at or after `from`, and at or before `until`. Monotonic ms. */
  readonly from: number;
  readonly until: number;
  readonly fromLine: number;
  readonly untilLine: number;
}

/** The claim of a caller that a change was applied with a version. `made` is set if its own call applied it. */
export interface Claim {
  readonly version: number;
  readonly document: ParsedObservation | undefined;
  /** Position of the change, if the reply contained it. */
  readonly position: Position | undefined;
  readonly acknowledgedAt: number;
  readonly line: number;
}

const NOTHING = { document: undefined, position: undefined } as const;

/** Returns what a call claims about its change, or undefined if it claims nothing. */
export function claimOf(call: Call): Claim | undefined {
  const { outcome, observation, position, resolved, until, returnLine: line } = call;
  if (call.op === undefined) return undefined;
  if (observation !== undefined && (outcome === "OK" || outcome === "REPLAYED" || outcome === "NOTDURABLE")) {
    const { opVersion } = observation;
    if (opVersion === undefined)
      return { version: observation.version, document: observation, position, acknowledgedAt: until, line };
    return { ...NOTHING, version: opVersion, acknowledgedAt: until, line };
  }
  if (resolved?.outcome !== "DONE" || resolved.version === undefined) return undefined;
  return { ...NOTHING, version: resolved.version, acknowledgedAt: resolved.at, line: resolved.line };
}

/** Returns true if the outcome of a call permits that it applied its change. */
export function mayHaveMade(call: Call): boolean {
  switch (call.outcome) {
    case "OK":
    case "REPLAYED":
    case "NOTDURABLE":
    case "FORGOTTEN":
      return true;
    case "UNKNOWN":
      return call.resolved?.outcome !== "NOTDONE";
    default:
      return false;
  }
}

/** Returns the time until which a call may have taken effect. */
export function effectiveUntil({ outcome, until, resolved }: Call): number {
  if (outcome !== "UNKNOWN") return until;
  return resolved?.outcome === "DONE" ? resolved.at : Number.POSITIVE_INFINITY;
}

/**
 * Checks that every acknowledged change is in the log as acknowledged, and that no rejected change is.
 *
 * @returns the evidence for the changes of the log, by idempotency key, and the lost changes
 */
export function checkClaims(
  entity: Entity,
  requests: Requests,
  lossOf: (call: Call, acknowledgedAt: number) => LossyInjection | undefined,
  findings: Findings,
): { evidence: Map<string, Evidence>; lost: LostChange[] } {
  const events = new Map<string, LogEntry>();
  for (const event of entity.events) if (event.op !== undefined) events.set(event.op, event);
  const evidence = new Map<string, Evidence>();
  const lost: LostChange[] = [];
  for (const [op, calls] of requests) {
    const event = events.get(op);
    let maker: Call | undefined;
    let [from, fromLine, until, untilLine] = [Number.POSITIVE_INFINITY, 0, Number.POSITIVE_INFINITY, 0];
    for (const call of calls) {
      if (mayHaveMade(call) && call.at < from) [from, fromLine] = [call.at, call.line];
      const claim = claimOf(call);
      if (claim === undefined) continue;
      if (event === undefined || !isOf(claim, event)) {
        const to = lossOf(call, claim.acknowledgedAt);
        if (to !== undefined) lost.push({ call, acknowledgedAt: claim.acknowledgedAt, to });
        else
          findings.add(
            "acknowledgements",
            entity,
            missingChangeWords(call, claim, event),
            call.line,
            claim.line,
            event?.line ?? 0,
          );
        continue;
      }
      if (claim.acknowledgedAt < until && !mayBeReapplied(call, claim, calls, lossOf))
        [until, untilLine] = [claim.acknowledgedAt, claim.line];
      if (claim.document === undefined) continue;
      const isRetry = calls.some((other) => other.at < call.at);
      const field = differenceOf(claim.document, event);
      if (field !== undefined) {
        const message = `${callWords(call)} received ${changeWords(event)} with another ${field} than the log has`;
        findings.add("acknowledgements", entity, message, call.line, claim.line, event.line);
      }
      // A retry receives the change itself if the log has it, whichever call applied it.
      if (isRetry) continue;
      if (maker !== undefined) {
        const message = `${callWords(maker)} and ${callWords(call)} were both acknowledged as the maker of ${changeWords(event)}`;
        findings.add("ops", entity, message, maker.line, call.line, event.line);
      }
      maker = call;
    }
    if (event === undefined) continue;
    if (from === Number.POSITIVE_INFINITY) {
      const [call] = calls;
      const words = call && `${callWords(call)}, which ended ${outcomeWords(call)}`;
      findings.add(
        "rejections",
        entity,
        `${changeWords(event)} is in the log, but was requested by ${words}`,
        call?.line ?? 0,
        event.line,
      );
      continue;
    }
    // The change was applied before its callers received a rejection, or stopped for good.
    const makers = calls.filter(mayHaveMade);
    const ended = Math.max(...makers.map(effectiveUntil));
    if (ended < until) [until, untilLine] = [ended, makers.at(-1)?.returnLine ?? 0];
    // If one call reported that it applied the change, this happened during that call.
    if (maker !== undefined) [from, fromLine] = [maker.at, maker.line];
    evidence.set(op, { event, calls, from, until, fromLine, untilLine });
  }
  return { evidence, lost };
}

/**
 * Returns true if an acknowledged change may have been lost, and the log has the change of a retry: with the same version
 * and, while the clock is behind, with the same time.
 */
function mayBeReapplied(
  call: Call,
  { acknowledgedAt }: Claim,
  calls: readonly Call[],
  lossOf: (call: Call, acknowledgedAt: number) => LossyInjection | undefined,
): boolean {
  if (calls.length === 1) return false;
  const loss = lossOf(call, acknowledgedAt);
  return (
    loss !== undefined &&
    calls.some((other) => other !== call && other.until > loss.begin && mayHaveMade(other))
  );
}

function isOf({ version, document, position }: Claim, event: LogEntry): boolean {
  if (position !== undefined && !isSame(position, madeAt(event))) return false;
  return event.version === version && (document === undefined || document.timestamp === event.timestamp);
}

/** Returns the position that the maker of a change got. */
export function madeAt(event: LogEntry): Position {
  return kindOf(event) === "remove" ? removalPosition(event.position) : event.position;
}

function isSame(one: Position, other: Position): boolean {
  return one.ms === other.ms && one.sequence === other.sequence;
}

function missingChangeWords(
  call: Call,
  { version, document, position }: Claim,
  event: LogEntry | undefined,
): string {
  const at = event && (position === undefined ? timeWords(event.timestamp) : positionText(event.position));
  const has = event === undefined ? "does not have it" : `has it as ${changeWords(event)} of ${at}`;
  const received = document === undefined ? `version ${version}` : observationWords(document);
  return `${callWords(call)} received ${received}, but the log ${has}`;
}

function outcomeWords({ outcome, resolved }: Call): string {
  return resolved === undefined ? outcome : `${outcome}, resolved as ${resolved.outcome}`;
}

/** Returns the name of a fact in which a received document differs from the log, or undefined. */
export function differenceOf(observation: ParsedObservation, event: LogEntry): string | undefined {
  for (const fact of ["state", "version", "timestamp", "since", "created"] as const) {
    if (observation[fact] !== event[fact]) return fact;
  }
  return differingField(observation.fields, event.fields);
}
