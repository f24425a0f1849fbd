import type { ParsedObservation } from "../facts.js";
import { differingField } from "../field-map.js";
import type { Step, Write } from "./model.js";

/** Returns the key of a version in one life of an entity, or undefined if the life is unknown. */
export type VersionKeyOf = (created: number | undefined, version: number) => string | undefined;

/** Holds what callers know about an entity's versions. It saves the search from orders that cannot succeed. */
export interface KnownVersions {
  readonly versionKeyOf: VersionKeyOf;
  readonly observations: ReadonlyMap<string, ParsedObservation>;
  /** The write that made each version. */
  readonly makers: ReadonlyMap<string, Write>;
  /** Number of reads of each version. */
  readonly readCounts: ReadonlyMap<string, number>;
  /** The last version of each life that a caller received. */
  readonly last: ReadonlyMap<number, number>;
}

/**
 * Collects it. The creation time identifies a life, unless an id may have begun two lives at that time: it was removed in
 * the millisecond of its creation, or while the server's clock was behind.
 */
export function knownVersions(steps: readonly Step[]): KnownVersions {
  const ambiguous = new Set<number>();
  const observations = new Map<string, ParsedObservation>();
  const makers = new Map<string, Write>();
  const readCounts = new Map<string, number>();
  const last = new Map<number, number>();
  let isRemovedUnseen = false;
  for (const step of steps) {
    if (step.kind === "write" && step.call.operation === "remove" && step.document === undefined)
      isRemovedUnseen = true;
    // A step that may belong to another segment, before a loss, proves nothing: its version can exist twice.
    if (step.until === Number.POSITIVE_INFINITY) continue;
    if (step.kind === "write") {
      const { created, version } = step;
      if (created !== undefined && version !== undefined) {
        const place = `${created}:${version}`;
        if (makers.has(place)) ambiguous.add(created);
        makers.set(place, step);
      }
      // The document of a removal is not a state of the entity.
      if (step.call.operation === "remove") {
        if (step.document?.created === step.document?.timestamp && created !== undefined)
          ambiguous.add(created);
        continue;
      }
    }
    const observation = step.kind === "read" ? step.observation : step.document;
    if (observation === undefined) continue;
    const { created, version } = observation;
    const place = `${created}:${version}`;
    const other = observations.get(place);
    if (other !== undefined && !isSame(observation, other)) ambiguous.add(created);
    observations.set(place, observation);
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
