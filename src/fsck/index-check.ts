import type { Part } from "./entity-places.js";
import type { Defect } from "./finding.js";
import type { Installed } from "./installed.js";
import type { Look } from "./look.js";

const ORDINAL_STEP = 10 ** 13;

/** Every entity stands in the index, by its state and the time of entering it; and nothing else does. */
export function checkIndex(look: Look, { keys }: Part, { ordinals }: Installed): Defect[] {
  const { id, hash, index, wrongTypes } = look;
  if (wrongTypes.includes(keys.index) || wrongTypes.includes(look.places.entity)) return [];
  const at = { id, key: keys.index };
  if (hash === undefined) {
    if (index === null) return [];
    return [{ ...at, kind: "index-orphan", message: "there is no such entity", mend: { index: null } }];
  }
  const state = hash.get("state") ?? "";
  const since = hash.get("since") ?? "";
  const ordinal = ordinals.indexOf(state);
  const isTold = ordinal >= 0 && /^\d{13}$/.test(since);
  const score = ordinal * ORDINAL_STEP + Number(since);
  if (isTold && index !== null && Number(index) === score) return [];
  const cure = isTold
    ? { mend: { index: score } }
    : { why: "the entity does not tell its place: its state or since is wrong" };
  if (index === null) return [{ ...at, ...cure, kind: "index-missing", message: "the index lacks it" }];
  if (!isTold) return [];
  const message = `the index has ${placeText(Number(index), ordinals, index)}, the entity ${placeText(score, ordinals)}`;
  return [{ ...at, ...cure, kind: "index-score", message }];
}

/** @param text what to show where the score is none of a state */
function placeText(score: number, ordinals: readonly string[], text = String(score)): string {
  const since = ((score % ORDINAL_STEP) + ORDINAL_STEP) % ORDINAL_STEP;
  const state = ordinals[Math.floor(score / ORDINAL_STEP)];
  if (state === undefined || !Number.isInteger(since)) return `a score of no state (${text})`;
  return `${state} since ${new Date(since).toISOString()}`;
}
