import type { Call, Entity } from "../facts.js";
import type { Loss } from "../loss.js";
import { type Claim, claimOf, effectiveUntil, mayHaveMade } from "../witness/claims.js";
import { isObservation } from "../witness/observations.js";
import { requestsOf } from "../witness/requests.js";
import type { Read, Step, Write } from "./model.js";

/** A segment of a history in which nothing is lost. */
export interface Segment {
  readonly from: number;
  readonly to: number;
  /** True if the entity did not exist before it. */
  readonly isFirst: boolean;
}

/** Splits an entity's time at faults that may lose changes, and so that no segment has many more calls than `most`. */
export function segmentsOf({ calls }: Entity, loss: Loss, most: number): Segment[] {
  const times = calls.map(({ at }) => at).sort((a, b) => a - b);
  const segments: Segment[] = [];
  let from = Number.NEGATIVE_INFINITY;
  let next = 0;
  const add = (to: number): void => {
    while ((times[next] ?? from) < from) next += 1;
    let inside = 0;
    for (; (times[next] ?? to) < to; next += 1, inside += 1) {
      const at = times[next] ?? to;
      if (inside < most || at === times[next - 1]) continue;
      segments.push({ from, to: at, isFirst: from === Number.NEGATIVE_INFINITY });
      from = at;
      inside = 0;
    }
    if (inside > 0) segments.push({ from, to, isFirst: from === Number.NEGATIVE_INFINITY });
  };
  for (const { begin, end } of loss.injections) {
    add(begin);
    from = Math.max(from, end);
  }
  add(Number.POSITIVE_INFINITY);
  return segments;
}

/** Returns the steps of an entity in a segment, as its callers recorded them. */
export function stepsOf(entity: Entity, { from, to }: Segment): Step[] {
  const isInside = (begin: number, end: number): boolean => begin >= from && end <= to;
  const steps: Step[] = [];
  for (const calls of requestsOf(entity).values()) steps.push(...writesOf(calls, from, to, isInside));
  for (const call of entity.calls) {
    if (!isObservation(call) || !isInside(call.at, call.until)) continue;
    const read: Read = {
      kind: "read",
      call,
      from: call.at,
      until: call.until,
      observation: call.observation,
    };
    steps.push(read);
  }
  return steps;
}

/** Makes one write of all calls with the same idempotency key. It is certain if its caller learned so in the segment. */
function writesOf(
  calls: readonly Call[],
  from: number,
  to: number,
  isInside: (begin: number, end: number) => boolean,
): Write[] {
  const makers = calls.filter(mayHaveMade);
  const earliest = Math.min(...calls.map(({ at }) => at));
  const makes = makers.flatMap((call) => {
    const claim = claimOf(call);
    return claim?.document !== undefined && isInside(call.at, claim.acknowledgedAt) ? { call, claim } : [];
  });
  const different = new Map(makes.map((make) => [JSON.stringify(make.claim.document), make]));
  // Two different results are two changes. No order can contain both.
  if (different.size > 1)
    return [...different.values()].map(({ call, claim }) => writeOf(call, claim, call.at, call.until));
  const begin = Math.min(...makers.map(({ at }) => at));
  const [make] = makes;
  if (make !== undefined) {
    // A retry also receives the change if the log had it from an earlier call.
    const { call, claim } = makes.find((one) => one.call.at === earliest) ?? make;
    if (call.at === earliest) return [writeOf(call, claim, call.at, call.until)];
    const acknowledgedAt = Math.min(...makes.map((one) => one.claim.acknowledgedAt));
    const until = begin < from ? Number.POSITIVE_INFINITY : acknowledgedAt;
    return [{ ...writeOf(call, claim, Math.max(begin, from), until), latest: latestOf(makers) }];
  }
  // It was applied in this segment only if one of its calls was in flight here.
  const here = makers.filter((call) => call.at < to && effectiveUntil(call) > from);
  const [first] = here;
  if (first === undefined) return [];
  // A result outside of the segment proves nothing here: the change may have been lost and applied again.
  const claims = here.flatMap((call) => {
    const claim = claimOf(call);
    return claim !== undefined && isInside(call.at, claim.acknowledgedAt) ? [claim] : [];
  });
  const [claim] = claims;
  const common = {
    kind: "write",
    call: first,
    document: undefined,
    version: claim?.version,
    created: createdOf(here),
    latest: latestOf(here),
  } as const;
  if (claim !== undefined && begin >= from) {
    return [
      { ...common, from: begin, until: Math.min(...claims.map(({ acknowledgedAt }) => acknowledgedAt)) },
    ];
  }
  return [
    {
      ...common,
      from: Math.max(from, Math.min(...here.map(({ at }) => at))),
      until: Number.POSITIVE_INFINITY,
    },
  ];
}

function writeOf(call: Call, { version, document }: Claim, from: number, until: number): Write {
  return { kind: "write", call, from, until, latest: until, document, version, created: document?.created };
}

function latestOf(calls: readonly Call[]): number {
  return Math.max(...calls.map(effectiveUntil));
}

/** Returns the life of a replayed change. */
function createdOf(calls: readonly Call[]): number | undefined {
  return calls.find(({ observation }) => observation?.opVersion !== undefined)?.observation?.created;
}
