import { claimOf, mayHaveMade } from "./claim-rules.js";
import type { Call, Entity } from "./facts.js";
import type { Sight, Step, Write } from "./linear-model.js";
import type { Loss } from "./loss.js";
import { isObservation } from "./observation.js";
import { requestsOf } from "./request-rules.js";

/** A stretch of a history in which nothing is lost. */
export interface Stretch {
  readonly from: number;
  readonly to: number;
  /** The entity did not exist before it. */
  readonly isFirst: boolean;
}

/** Cuts an entity's time at faults that may lose changes, and so that no stretch has many more calls than `most`. */
export function stretchesOf({ calls }: Entity, loss: Loss, most: number): Stretch[] {
  const times = calls.map(({ at }) => at).sort((a, b) => a - b);
  const stretches: Stretch[] = [];
  let from = Number.NEGATIVE_INFINITY;
  let next = 0;
  const add = (to: number): void => {
    while ((times[next] ?? from) < from) next += 1;
    let inside = 0;
    for (; (times[next] ?? to) < to; next += 1, inside += 1) {
      const at = times[next] ?? to;
      if (inside < most || at === times[next - 1]) continue;
      stretches.push({ from, to: at, isFirst: from === Number.NEGATIVE_INFINITY });
      from = at;
      inside = 0;
    }
    if (inside > 0) stretches.push({ from, to, isFirst: from === Number.NEGATIVE_INFINITY });
  };
  for (const { begin, end } of loss.injections) {
    add(begin);
    from = Math.max(from, end);
  }
  add(Number.POSITIVE_INFINITY);
  return stretches;
}

/** What happened to an entity in a stretch, by the word of its callers alone. */
export function stepsOf(entity: Entity, { from, to }: Stretch): Step[] {
  const isInside = (begin: number, end: number): boolean => begin >= from && end <= to;
  const steps: Step[] = [];
  for (const calls of requestsOf(entity).values()) steps.push(...writesOf(calls, from, to, isInside));
  for (const call of entity.calls) {
    if (!isObservation(call) || !isInside(call.at, call.until)) continue;
    const sight: Sight = { kind: "sight", call, from: call.at, until: call.until, seen: call.seen };
    steps.push(sight);
  }
  return steps;
}

/** All calls of one op are one change. It is certain only where its caller was told so within the stretch. */
function writesOf(
  calls: readonly Call[],
  from: number,
  to: number,
  isInside: (begin: number, end: number) => boolean,
): Write[] {
  const makers = calls.filter(mayHaveMade);
  const earliest = Math.min(...calls.map(({ at }) => at));
  const makes = makers.flatMap((call) => {
    // A repeat may be told of the change that an earlier call made.
    const claim = call.at === earliest ? claimOf(call) : undefined;
    return claim?.made !== undefined && isInside(call.at, claim.told) ? { call, claim } : [];
  });
  // Told by two calls that they made it, each is a change: no order can have both.
  if (makes.length > 0) {
    return makes.map(({ call, claim: { version, made } }) => {
      const { at, until } = call;
      return { kind: "write", call, from: at, until, made, version, created: made?.created };
    });
  }
  const [first] = makers;
  if (first === undefined) return [];
  const begin = Math.min(...makers.map(({ at }) => at));
  const claims = makers.flatMap((call) => claimOf(call) ?? []);
  const told = Math.min(Number.POSITIVE_INFINITY, ...claims.map((claim) => claim.told));
  if (begin >= to || told < from) return [];
  const [claim] = claims;
  const created = claim?.made?.created ?? createdOf(makers);
  const common = { kind: "write", call: first, made: claim?.made, version: claim?.version, created } as const;
  if (claim !== undefined && isInside(begin, told)) return [{ ...common, from: begin, until: told }];
  return [{ ...common, from: Math.max(from, begin), until: Number.POSITIVE_INFINITY }];
}

/** A replay shows the life in which the op was done. */
function createdOf(calls: readonly Call[]): number | undefined {
  return calls.find(({ seen }) => seen?.opVersion !== undefined)?.seen?.created;
}
