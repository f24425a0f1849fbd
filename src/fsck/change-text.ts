import { createHash } from "node:crypto";
import { ownFields, parseChange } from "../contract/document.js";
import { isOwnField } from "../contract/entity-hash.js";

/** Holds a change as the logs store it. */
export interface ChangeText {
  readonly id: string;
  readonly version: number;
  readonly state: string;
  /** True for the entity's last change, its removal. */
  readonly isRemoval: boolean;
  /** The names of the own fields. */
  readonly fields: readonly string[];
  readonly timestamp: string;
  readonly since: string;
  readonly createdAt: string;
  readonly text: string;
}

/** Reads the document of a change of this machine. Returns undefined for any other text. */
export function readChange(machine: string, text: string): ChangeText | undefined {
  const change = parseChange(machine, text);
  if (typeof change === "string") return undefined;
  const { type, id, from, state, version, timestamp, since, createdAt } = change;
  const isRemoval = type === `${machine}.removed` && from === state;
  return {
    id,
    version,
    state,
    isRemoval,
    fields: Object.keys(ownFields(change)),
    timestamp,
    since,
    createdAt,
    text,
  };
}

/** Returns a short hash by which texts are compared. */
export function digestOf(text: string): string {
  return createHash("sha1").update(text).digest("base64").slice(0, 16);
}

/** Returns the names of an entity's own fields, stamps included. */
export function ownNames(hash: ReadonlyMap<string, string>): string[] {
  return [...hash.keys()].filter(isOwnField);
}

/** Describes the first difference between an entity's hash and its last change; undefined if there is none. */
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
  for (const [name, logged, stored] of facts) {
    if (logged !== stored) return `${name} is ${stored ?? "missing"} in the entity, ${logged} in the change`;
  }
  const missing = fields.find((field) => !own.includes(field));
  if (missing !== undefined) return `the entity lacks the field ${missing}`;
  // The scripts copy the texts of fields, so a document contains them exactly as the hash does.
  const other = own.find(
    (field) => !fields.includes(field) || !text.includes(`,"${field}":${hash.get(field)}`),
  );
  return other === undefined ? undefined : `the field ${other} has another value in the entity`;
}

function isoText(ms: string | undefined): string | undefined {
  return ms !== undefined && /^\d{13}$/.test(ms) ? new Date(Number(ms)).toISOString() : ms;
}
