import { isOwnField } from "../contract/entity-hash.js";
import { findNonJson } from "../machine/json-value.js";
import { FIELD_NAME, STATE_NAME } from "../machine/names.js";
import type { Defect } from "./finding.js";
import type { StoredEntity } from "./stored-entity.js";

const MS = /^\d{13}$/;
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const OP = /^[A-Za-z0-9_.~:/@+=-]{1,64} \d+ \d{13}$/;

/** Gives the pattern of each internal field. */
const INTERNAL: Readonly<Record<string, RegExp>> = {
  state: STATE_NAME.pattern,
  version: /^[1-9]\d{0,14}$/,
  at: MS,
  since: MS,
  created: ISO,
  ops: /^[0-4] \d+$/,
  "lease:at": /^(\d{13})?$/,
  ...Object.fromEntries(Array.from({ length: 5 }, (_, at) => [`op:${at}`, RegExp(`^$|${OP.source}`)])),
};

const WHY = "fsck never changes the entity's hash; restore it from a backup, or remove the entity";

/** Checks that the internal fields of an entity exist and are well-formed, and that its own fields are strict JSON. */
export function checkHash({ id, keys, hash, notUtf8 }: StoredEntity): Defect[] {
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
  if (defects.length === 0 && Number(hash.get("since")) > Number(hash.get("at"))) {
    wrong("the field since is later than at");
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
