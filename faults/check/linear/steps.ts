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
  /** The entity did not exist before it. */
  readonly isFirst: boolean;
}

/** Cuts an entity's time at faults that may lose changes, and so that no segment has many more calls than `most`. */
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

/** What happened to an entity in a segment, by the word of its callers alone. */
export function stepsOf(entity: Entity, { from, to }: Segment): Step[] {
  const isInside = (begin: number, end: number): boolean => begin >= from && end <= to;
  const steps: Step[] = [];
  for (const calls of requestsOf(entity).values()) steps.push(...writesOf(calls, from, to, isInside));
  for (const call of entity.calls) {
    if (!isObservation(call) || !isInside(call.at, call.until)) continue;
    const read: Read = { kind: "read", call, from: call.at, until: call.until, seen: call.seen };
    steps.push(read);
  }
  return steps;
}

/** All calls of one op are one change. It is certain only where its caller was told so within the segment. */
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
    return claim?.made !== undefined && isInside(call.at, claim.told) ? { call, claim } : [];
  });
  const different = new Map(makes.map((make) => [JSON.stringify(make.claim.made), make]));
  // Made twice, or told of in two ways, each is a change: no order can have both.
  if (different.size > 1)
    return [...different.values()].map(({ call, claim }) => writeOf(call, claim, call.at, call.until));
  const begin = Math.min(...makers.map(({ at }) => at));
  const [make] = makes;
  if (make !== undefined) {
    // A repeat is told of the change too where the log had it from an earlier call.
    const { call, claim } = makes.find((one) => one.call.at === earliest) ?? make;
    if (call.at === earliest) return [writeOf(call, claim, call.at, call.until)];
    const told = Math.min(...makes.map((one) => one.claim.told));
    const until = begin < from ? Number.POSITIVE_INFINITY : told;
    return [{ ...writeOf(call, claim, Math.max(begin, from), until), latest: latestOf(makers) }];
  }
  // It may have been made here only by a call that was under way here.
  const here = makers.filter((call) => call.at < to && effectiveUntil(call) > from);
  const [first] = here;
  if (first === undefined) return [];
  // What was told elsewhere says nothing of here: between the two it may have been lost, and made again.
  const claims = here.flatMap((call) => {
    const claim = claimOf(call);
    return claim !== undefined && isInside(call.at, claim.told) ? [claim] : [];
  });
  const [claim] = claims;
  const common = {
    kind: "write",
    call: first,
    made: undefined,
    version: claim?.version,
    created: createdOf(here),
    latest: latestOf(here),
  } as const;
  if (claim !== undefined && begin >= from) {
    return [{ ...common, from: begin, until: Math.min(...claims.map(({ told }) => told)) }];
  }
  return [
    {
      ...common,
      from: Math.max(from, Math.min(...here.map(({ at }) => at))),
      until: Number.POSITIVE_INFINITY,
    },
  ];
}

function writeOf(call: Call, { version, made }: Claim, from: number, until: number): Write {
  return { kind: "write", call, from, until, latest: until, made, version, created: made?.created };
}

function latestOf(calls: readonly Call[]): number {
  return Math.max(...calls.map(effectiveUntil));
}

/** A replay shows the life in which the op was done. */
function createdOf(calls: readonly Call[]): number | undefined {
  return calls.find(({ seen }) => seen?.opVersion !== undefined)?.seen?.created;
}
