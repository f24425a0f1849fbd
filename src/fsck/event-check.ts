import { differenceFrom } from "./change-text.js";
import type { LastEvent } from "./event-walk.js";
import type { Defect } from "./finding.js";
import type { Partition } from "./partition.js";
import type { StoredEntity } from "./stored-entity.js";

/** Holds what the event log contained about an entity before and after the entity was read. */
export interface EventEvidence {
  readonly before: LastEvent | undefined;
  readonly after: LastEvent | undefined;
  /** True if nothing was trimmed from the event log. */
  readonly isWhole: boolean;
  readonly oldestMs: number | undefined;
}

const WHY = "fsck never rewrites an entity or its changes; find out what the server lost";

/**
 * Checks that the event log ends with the entity as it is. The entity was read between two readings of the log: the
 * second must contain its version, and its version must not be older than the first.
 */
export function checkEvents(entity: StoredEntity, partition: Partition, evidence: EventEvidence): Defect[] {
  const { hash, keys, wrongTypes } = entity;
  if (wrongTypes.includes(keys.entity)) return [];
  if (hash === undefined)
    return [...checkAbsent(entity, partition, evidence), ...checkOrphan(entity, evidence)];
  const problem = problemOf(entity, hash, evidence);
  if (problem === undefined) return [];
  const [kind, message] = problem;
  return [{ kind, id: entity.id, key: partition.keys.events, message, why: WHY }];
}

function problemOf(
  entity: StoredEntity,
  hash: ReadonlyMap<string, string>,
  { before, after, isWhole, oldestMs }: EventEvidence,
): readonly ["event-lost" | "event-extra" | "event-differs", string] | undefined {
  const version = Number(hash.get("version"));
  const state = hash.get("state");
  if (!Number.isSafeInteger(version)) return undefined;
  if (after === undefined) {
    // A change is logged at its time or later, so a change younger than the oldest entry cannot have been trimmed.
    const isExpected = isWhole || (oldestMs !== undefined && (entity.times?.changed ?? 0) > oldestMs);
    return isExpected ? ["event-lost", `it lacks version ${version}, and all before it`] : undefined;
  }
  if (before === undefined || before.life !== after.life) return undefined; // the id was created again meanwhile
  if (before.isRemoval) {
    return after === before ? ["event-lost", "it ends with the removal, but the entity exists"] : undefined;
  }
  if (version > after.version)
    return ["event-lost", `it ends with version ${after.version}, the entity has ${version}`];
  if (version < before.version)
    return ["event-extra", `it has version ${before.version}, the entity only ${version}`];
  if (before.entry !== after.entry) return undefined; // the entity changed meanwhile
  if (state !== after.state)
    return ["event-differs", `version ${version} is ${after.state} there, the entity is ${state}`];
  const difference = differenceFrom(after, entity);
  return difference === undefined
    ? undefined
    : ["event-differs", `version ${version} differs there: ${difference}`];
}

function checkAbsent(
  { id, keys }: StoredEntity,
  partition: Partition,
  { before, after }: EventEvidence,
): Defect[] {
  if (before === undefined || before.isRemoval || after?.entry !== before.entry) return [];
  const message = `version ${before.version} (${before.state}) is the last in ${partition.keys.events}, but the entity does not exist`;
  const why = "fsck does not create entities; restore it from a backup, or create it again";
  return [{ id, key: keys.entity, kind: "entity-lost", message, why }];
}

/** Allows the removal of a log only if the event log proves that its entity was removed or never existed. */
function checkOrphan(
  { id, keys, logLength, wrongTypes }: StoredEntity,
  { after, isWhole }: EventEvidence,
): Defect[] {
  if (logLength === 0 || wrongTypes.includes(keys.log)) return [];
  const isProven = after === undefined ? isWhole : after.isRemoval;
  const remedy = isProven
    ? { repair: { log: null } }
    : { why: "the event log does not contain its removal, so this log may be the only record of it" };
  return [{ id, key: keys.log, kind: "log-orphan", message: "the entity does not exist", ...remedy }];
}
