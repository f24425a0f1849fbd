import { ORDINAL_STEP } from "../reads/position.js";
import type { Defect } from "./finding.js";
import type { Partition } from "./partition.js";
import type { StoredEntity } from "./stored-entity.js";
import type { StoredMachine } from "./stored-machine.js";

/** Checks that an entity has one index entry, by its state and its time of entry, and that nothing else has one. */
export function checkIndex(entity: StoredEntity, { keys }: Partition, { ordinals }: StoredMachine): Defect[] {
  const { id, hash, times, wrongTypes } = entity;
  // A negative score is the tombstone of a removed id, which does not exist.
  const index = Number(entity.index) < 0 ? null : entity.index;
  if (wrongTypes.includes(keys.index) || wrongTypes.includes(entity.keys.entity)) return [];
  const at = { id, key: keys.index };
  if (hash === undefined) {
    if (index === null) return [];
    return [{ ...at, kind: "index-orphan", message: "the entity does not exist", repair: { index: null } }];
  }
  const ordinal = ordinals.indexOf(hash.get("state") ?? "");
  const isKnown = ordinal >= 0 && times !== undefined;
  const score = ordinal * ORDINAL_STEP + (times?.entered ?? 0);
  if (index === null) {
    const remedy = isKnown
      ? { repair: { index: score } }
      : { why: "its index entry is unknown because its state or its times are wrong" };
    return [{ ...at, ...remedy, kind: "index-missing", message: "the entity has no index entry" }];
  }
  if (!isKnown || Number(index) === score) return [];
  const message = `the index says ${scoreText(Number(index), ordinals, index)}, the entity says ${scoreText(score, ordinals)}`;
  return [{ ...at, kind: "index-score", message, repair: { index: score } }];
}

/** @param text shown if the score belongs to no state */
function scoreText(score: number, ordinals: readonly string[], text = String(score)): string {
  const since = ((score % ORDINAL_STEP) + ORDINAL_STEP) % ORDINAL_STEP;
  const state = ordinals[Math.floor(score / ORDINAL_STEP)];
  if (state === undefined || !Number.isInteger(since)) return `a score of no state (${text})`;
  return `${state} since ${new Date(since).toISOString()}`;
}
