import type { Call, Entity, LogEntry, ParsedObservation } from "../facts.js";
import { differingField } from "../field-map.js";
import type { LossyInjection } from "../loss.js";
import type { Findings } from "../report.js";
import { callWords, changeWords, seenWords, timeWords } from "../words.js";
import type { Requests } from "./requests.js";

/** An acknowledged change that is not in the log, and the fault that may have lost it. */
export interface LostChange {
  readonly call: Call;
  /** When it was acknowledged. */
  readonly told: number;
  readonly to: LossyInjection;
}

/** What callers were told of one change, held against the log. */
export interface Evidence {
  readonly event: LogEntry;
  readonly calls: readonly Call[];
  /** Not made before this, nor after `told`: the first time at which anybody knew of it. Monotonic ms. */
  readonly asked: number;
  readonly told: number;
  readonly askedLine: number;
  readonly toldLine: number;
}

/** A caller's word that a change was made: at this version, and how if it was this call that made it. */
export interface Claim {
  readonly version: number;
  readonly made: ParsedObservation | undefined;
  readonly told: number;
  readonly line: number;
}

/** What a call claims to have been made by its op; undefined where it claims nothing. */
export function claimOf(call: Call): Claim | undefined {
  const { outcome, seen, resolved, until, returnLine: line } = call;
  if (call.op === undefined) return undefined;
  if (seen !== undefined && (outcome === "OK" || outcome === "REPLAYED" || outcome === "NOTDURABLE")) {
    const { opVersion } = seen;
    if (opVersion === undefined) return { version: seen.version, made: seen, told: until, line };
    return { version: opVersion, made: undefined, told: until, line };
  }
  if (resolved?.outcome !== "DONE" || resolved.version === undefined) return undefined;
  return { version: resolved.version, made: undefined, told: resolved.at, line: resolved.line };
}

/** Whether this call, by what its caller was told, can have made the change. */
export function mayHaveMade(call: Call): boolean {
  switch (call.outcome) {
    case "OK":
    case "REPLAYED":
    case "NOTDURABLE":
    case "FORGOTTEN":
      return true;
    case "UNKNOWN":
      return call.resolved?.outcome !== "NOTDONE";
    case "NOTFOUND":
      // A second attempt does not find what was removed after the first one had changed it.
      return call.attempts !== 1;
    default:
      return false;
  }
}

/** Until when a call may have had its effect. */
export function effectiveUntil({ outcome, until, resolved }: Call): number {
  if (outcome !== "UNKNOWN") return until;
  return resolved?.outcome === "DONE" ? resolved.at : Number.POSITIVE_INFINITY;
}

/**
 * Every change that a caller was told of is in the log as it was told, and none that was refused.
 *
 * @returns what is known of the changes in the log, by their ops, and what was lost
 */
export function checkClaims(
  entity: Entity,
  requests: Requests,
  lossOf: (call: Call, told: number) => LossyInjection | undefined,
  findings: Findings,
): { evidence: Map<string, Evidence>; lost: LostChange[] } {
  const events = new Map<string, LogEntry>();
  for (const event of entity.events) if (event.op !== undefined) events.set(event.op, event);
  const evidence = new Map<string, Evidence>();
  const lost: LostChange[] = [];
  for (const [op, calls] of requests) {
    const event = events.get(op);
    let maker: Call | undefined;
    let [asked, askedLine, told, toldLine] = [Number.POSITIVE_INFINITY, 0, Number.POSITIVE_INFINITY, 0];
    for (const call of calls) {
      if (mayHaveMade(call) && call.at < asked) [asked, askedLine] = [call.at, call.line];
      const claim = claimOf(call);
      if (claim === undefined) continue;
      if (event === undefined || !isOf(claim, event)) {
        const to = lossOf(call, claim.told);
        if (to !== undefined) lost.push({ call, told: claim.told, to });
        else
          findings.add(
            "acknowledged",
            entity,
            missingWords(call, claim, event),
            call.line,
            claim.line,
            event?.line ?? 0,
          );
        continue;
      }
      if (claim.told < told && !mayBeRemade(call, claim, calls, lossOf))
        [told, toldLine] = [claim.told, claim.line];
      if (claim.made === undefined) continue;
      const isRepeat = calls.some((other) => other.at < call.at);
      const field = differenceOf(claim.made, event);
      if (field !== undefined) {
        const message = `${callWords(call)} was told of ${changeWords(event)} with another ${field} than the log has`;
        findings.add("acknowledged", entity, message, call.line, claim.line, event.line);
      }
      // A repeat is told of the change itself where the log has it, whoever made it.
      if (isRepeat) continue;
      if (maker !== undefined) {
        const message = `${callWords(maker)} and ${callWords(call)} were both told that they had made ${changeWords(event)}`;
        findings.add("ops", entity, message, maker.line, call.line, event.line);
      }
      maker = call;
    }
    if (event === undefined) continue;
    if (asked === Number.POSITIVE_INFINITY) {
      const [call] = calls;
      const words = call && `${callWords(call)}, which ended ${outcomeWords(call)}`;
      findings.add(
        "refused",
        entity,
        `${changeWords(event)} is in the log, though made by ${words}`,
        call?.line ?? 0,
        event.line,
      );
      continue;
    }
    // Made, if at all, before its callers were told of a refusal, or gave up for good.
    const makers = calls.filter(mayHaveMade);
    const ended = Math.max(...makers.map(effectiveUntil));
    if (ended < told) [told, toldLine] = [ended, makers.at(-1)?.returnLine ?? 0];
    // Where one call was told that it had made it, it was made during that call.
    if (maker !== undefined) [asked, askedLine] = [maker.at, maker.line];
    evidence.set(op, { event, calls, asked, told, askedLine, toldLine });
  }
  return { evidence, lost };
}

/**
 * Whether what was told may have been lost, and what the log has made by a repeat: with the same version and, while the
 * clock is behind, at the same time.
 */
function mayBeRemade(
  call: Call,
  { told }: Claim,
  calls: readonly Call[],
  lossOf: (call: Call, told: number) => LossyInjection | undefined,
): boolean {
  if (calls.length === 1) return false;
  const loss = lossOf(call, told);
  return (
    loss !== undefined &&
    calls.some((other) => other !== call && other.until > loss.begin && mayHaveMade(other))
  );
}

function isOf({ version, made }: Claim, event: LogEntry): boolean {
  return event.version === version && (made === undefined || made.timestamp === event.timestamp);
}

function missingWords(call: Call, { version, made }: Claim, event: LogEntry | undefined): string {
  const has =
    event === undefined
      ? "does not have it"
      : `has it as ${changeWords(event)} of ${timeWords(event.timestamp)}`;
  const said = made === undefined ? `version ${version}` : seenWords(made);
  return `${callWords(call)} was told of ${said}, but the log ${has}`;
}

function outcomeWords({ outcome, resolved }: Call): string {
  return resolved === undefined ? outcome : `${outcome}, resolved as ${resolved.outcome}`;
}

/** In what a caller was shown of a version differs from the log; undefined where in nothing. */
export function differenceOf(seen: ParsedObservation, event: LogEntry): string | undefined {
  for (const fact of ["state", "version", "timestamp", "since", "created"] as const) {
    if (seen[fact] !== event[fact]) return fact;
  }
  return differingField(seen.fields, event.fields);
}
