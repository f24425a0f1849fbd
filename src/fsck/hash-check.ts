import { isOwnField } from "../contract/entity-hash.js";
import { findNonJson } from "../machine/json-value.js";
import { FIELD_NAME, STATE_NAME } from "../machine/names.js";
import type { Defect } from "./finding.js";
import type { StoredEntity } from "./stored-entity.js";

/** Gives the pattern of each internal field. */
const INTERNAL: Readonly<Record<string, RegExp>> = {
  state: STATE_NAME.pattern,
  version: /^[1-9]\d{0,12}$/,
  "times:ms": /^\d{13} \d{13} (0|\d{13})$/,
  created: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/,
  "ops:forgot": /^\d+-\d+$/,
};
/** An entity that is dated further ahead of the server's clock got its times from a wrong clock. */
const FARTHEST_AHEAD_MS = 60_000;

const WHY = "fsck never changes the entity's hash; restore it from a backup, or remove the entity";

/** Checks that the internal fields of an entity exist and are well-formed, and that its own fields are strict JSON. */
export function checkHash({ id, keys, hash, notUtf8, times, serverMs }: StoredEntity): Defect[] {
  if (hash === undefined) return [];
  const defects: Defect[] = [];
  const wrong = (message: string): void => {
    defects.push({ kind: "hash-field", id, key: keys.entity, message, why: WHY });
  };
  for (const [field, pattern] of Object.entries(INTERNAL)) {
    const text = hash.get(field);
    if (text === undefined) wrong(`the field ${field} is missing`);
    else if (!pattern.test(text)) wrong(`the field ${field} is malformed`);
  }
  if (times !== undefined) {
    if (times.entered > times.changed) wrong("it entered its state after its last change");
    const latest = Math.max(times.changed, times.entered, times.renewed);
    if (latest > serverMs + FARTHEST_AHEAD_MS) {
      const message = `its last change or heartbeat is at ${new Date(latest).toISOString()}, ahead of the server's clock`;
      defects.push({ kind: "dated-ahead", id, key: keys.entity, message, repair: { date: true } });
    }
  }
  for (const [field, text] of hash) {
    // Other internal fields belong to some version of the scripts.
    if (!isOwnField(field)) continue;
    if (!FIELD_NAME.pattern.test(field) || FIELD_NAME.reserved?.has(field)) {
      wrong(`${JSON.stringify(field.slice(0, 80))} is not a valid field name`);
    } else if (notUtf8.includes(field)) wrong(`the own field ${field} is not valid UTF-8`);
    else if (!isStrictJson(text)) wrong(`the own field ${field} is not strict JSON`);
  }
  return defects;
}

function isStrictJson(text: string): boolean {
  try {
    // Documents may hold numbers of any size, but no half of a surrogate pair.
    const problem = findNonJson(JSON.parse(text), []);
    return problem === undefined || !problem.message.includes("surrogate");
  } catch {
    return false;
  }
}
