import type { Seen } from "../facts.js";
import { differingField } from "../field-map.js";
import type { Step, Write } from "./model.js";

/** A version of one life, as a word; undefined where the life is not known. */
export type PlaceOf = (created: number | undefined, version: number) => string | undefined;

/** What callers' words tell beforehand of an entity's versions: it saves the search from what can't end well. */
export interface Known {
  readonly placeOf: PlaceOf;
  readonly shown: ReadonlyMap<string, Seen>;
  /** Who made a version. */
  readonly makers: ReadonlyMap<string, Write>;
  /** How many sights there are of a version. */
  readonly sights: ReadonlyMap<string, number>;
  /** The last version of a life that anybody saw. */
  readonly last: ReadonlyMap<number, number>;
}

/**
 * Gathers it. A life is told by the time of its creation, except where an id may have begun another one at that time: it was
 * removed within the millisecond of its creation, or while the server's clock was behind.
 */
export function knownFrom(steps: readonly Step[]): Known {
  const twice = new Set<number>();
  const shown = new Map<string, Seen>();
  const makers = new Map<string, Write>();
  const sights = new Map<string, number>();
  const last = new Map<number, number>();
  let isRemovedUnseen = false;
  for (const step of steps) {
    if (step.kind === "write" && step.call.operation === "remove" && step.made === undefined)
      isRemovedUnseen = true;
    // What may have happened elsewhere, before a loss, tells nothing: the same version can have been made again.
    if (step.until === Number.POSITIVE_INFINITY) continue;
    if (step.kind === "write") {
      const { created, version } = step;
      if (created !== undefined && version !== undefined) {
        const place = `${created}:${version}`;
        if (makers.has(place)) twice.add(created);
        makers.set(place, step);
      }
      // What a removal made is no state of the entity.
      if (step.call.operation === "remove") {
        if (step.made?.created === step.made?.timestamp && created !== undefined) twice.add(created);
        continue;
      }
    }
    const seen = step.kind === "sight" ? step.seen : step.made;
    if (seen === undefined) continue;
    const { created, version } = seen;
    const place = `${created}:${version}`;
    const other = shown.get(place);
    if (other !== undefined && !isSame(seen, other)) twice.add(created);
    shown.set(place, seen);
    if (step.kind === "sight") sights.set(place, (sights.get(place) ?? 0) + 1);
    last.set(created, Math.max(version, last.get(created) ?? 0));
  }
  const placeOf: PlaceOf = (created, version) =>
    created === undefined || isRemovedUnseen || twice.has(created) ? undefined : `${created}:${version}`;
  return { placeOf, shown, makers, sights, last };
}

function isSame(one: Seen, other: Seen): boolean {
  return (
    one.state === other.state &&
    one.timestamp === other.timestamp &&
    one.since === other.since &&
    differingField(one.fields, other.fields) === undefined
  );
}
