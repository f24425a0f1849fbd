import type { ParsedObservation } from "../facts.js";
import { differingField } from "../field-map.js";
import type { Step, Write } from "./model.js";

/** A version of one life, as a word; undefined where the life is not known. */
export type VersionKeyOf = (created: number | undefined, version: number) => string | undefined;

/** What callers' words tell beforehand of an entity's versions: it saves the search from what can't end well. */
export interface KnownVersions {
  readonly versionKeyOf: VersionKeyOf;
  readonly observations: ReadonlyMap<string, ParsedObservation>;
  /** Who made a version. */
  readonly makers: ReadonlyMap<string, Write>;
  /** How many readCounts there are of a version. */
  readonly readCounts: ReadonlyMap<string, number>;
  /** The last version of a life that anybody saw. */
  readonly last: ReadonlyMap<number, number>;
}

/**
 * Gathers it. A life is told by the time of its creation, except where an id may have begun another one at that time: it was
 * removed within the millisecond of its creation, or while the server's clock was behind.
 */
export function knownVersions(steps: readonly Step[]): KnownVersions {
  const ambiguous = new Set<number>();
  const observations = new Map<string, ParsedObservation>();
  const makers = new Map<string, Write>();
  const readCounts = new Map<string, number>();
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
        if (makers.has(place)) ambiguous.add(created);
        makers.set(place, step);
      }
      // What a removal made is no state of the entity.
      if (step.call.operation === "remove") {
        if (step.made?.created === step.made?.timestamp && created !== undefined) ambiguous.add(created);
        continue;
      }
    }
    const seen = step.kind === "read" ? step.seen : step.made;
    if (seen === undefined) continue;
    const { created, version } = seen;
    const place = `${created}:${version}`;
    const other = observations.get(place);
    if (other !== undefined && !isSame(seen, other)) ambiguous.add(created);
    observations.set(place, seen);
    if (step.kind === "read") readCounts.set(place, (readCounts.get(place) ?? 0) + 1);
    last.set(created, Math.max(version, last.get(created) ?? 0));
  }
  const versionKeyOf: VersionKeyOf = (created, version) =>
    created === undefined || isRemovedUnseen || ambiguous.has(created) ? undefined : `${created}:${version}`;
  return { versionKeyOf, observations, makers, readCounts, last };
}

function isSame(one: ParsedObservation, other: ParsedObservation): boolean {
  return (
    one.state === other.state &&
    one.timestamp === other.timestamp &&
    one.since === other.since &&
    differingField(one.fields, other.fields) === undefined
  );
}
