import { createHash } from "node:crypto";
import { ownFields, type Snapshot } from "../contract/document.js";
import { isObject } from "../machine/json-value.js";

/** A change as a log holds it. */
export interface ChangeText {
  readonly id: string;
  readonly version: number;
  readonly state: string;
  /** It is the entity's last: its removal. */
  readonly isRemoval: boolean;
  /** The names of the caller's own fields. */
  readonly fields: readonly string[];
  readonly timestamp: string;
  readonly since: string;
  readonly createdAt: string;
  readonly text: string;
}

/** Reads the document of a change of this machine; undefined where it is none. */
export function readChange(machine: string, text: string): ChangeText | undefined {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(document) || document.machine !== machine) return undefined;
  const { type, id, from, state, version, timestamp, since, createdAt } = document;
  if (typeof id !== "string" || typeof state !== "string" || !isVersion(version)) return undefined;
  if (typeof timestamp !== "string" || typeof since !== "string" || typeof createdAt !== "string")
    return undefined;
  return {
    id,
    version,
    state,
    isRemoval: type === `${machine}.removed` && from === state,
    fields: Object.keys(ownFields(document as Snapshot)),
    timestamp,
    since,
    createdAt,
    text,
  };
}

function isVersion(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}

/** Tells texts apart in little space. */
export function digestOf(text: string): string {
  return createHash("sha1").update(text).digest("base64").slice(0, 16);
}

/** What of an entity's hash is not as its last change says; undefined where all is. */
export function differenceFrom(
  change: ChangeText,
  hash: ReadonlyMap<string, string>,
  own: readonly string[],
): string | undefined {
  const { version, state, timestamp, since, createdAt, fields, text } = change;
  const facts = [
    ["version", String(version), hash.get("version")],
    ["state", state, hash.get("state")],
    ["at", timestamp, isoText(hash.get("at"))],
    ["since", since, isoText(hash.get("since"))],
    ["created", createdAt, hash.get("created")],
  ];
  for (const [name, logged, held] of facts) {
    if (logged !== held) return `${name} is ${held ?? "missing"} in the entity, ${logged} in the change`;
  }
  const missing = fields.find((field) => !own.includes(field));
  if (missing !== undefined) return `the entity lacks the field ${missing}`;
  // The scripts copy the fields' texts, so that they stand in the document as they are in the hash.
  const other = own.find(
    (field) => !fields.includes(field) || !text.includes(`,"${field}":${hash.get(field)}`),
  );
  return other === undefined ? undefined : `the field ${other} has another value in the entity`;
}

function isoText(ms: string | undefined): string | undefined {
  return ms !== undefined && /^\d{13}$/.test(ms) ? new Date(Number(ms)).toISOString() : ms;
}
