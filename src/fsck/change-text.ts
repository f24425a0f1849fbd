import { createHash } from "node:crypto";
import { ownFields, parseChange } from "../contract/document.js";
import { isOwnField } from "../contract/entity-hash.js";
import { isObject, type JsonValue } from "../machine/json-value.js";
import type { StoredEntity } from "./stored-entity.js";

/** Holds what both logs store of a change: the event log, and the entity's own. */
interface ChangeFacts {
  readonly type: string;
  readonly version: number;
  readonly state: string;
  readonly timestamp: string;
}

/** Holds a change as the event log stores it. */
export interface ChangeText extends ChangeFacts {
  readonly id: string;
  /** True for the entity's last change, its removal. */
  readonly isRemoval: boolean;
  readonly since: string;
  readonly createdAt: string;
  /** Hash of the own fields. */
  readonly digest: string;
}

/** Holds a change as the entity's own log stores it. */
export interface LogRecord extends ChangeFacts {
  readonly position: string;
}

/** Reads the document of a change of this machine. Returns undefined for any other text. */
export function readChange(machine: string, text: string): ChangeText | undefined {
  const change = parseChange(machine, text);
  if (typeof change === "string") return undefined;
  const { type, id, from, state, version, timestamp, since, createdAt } = change;
  const isRemoval = type === `${machine}.removed` && from === state;
  const digest = fieldsDigest(Object.entries(ownFields(change)));
  return { type, id, state, version, timestamp, since, createdAt, isRemoval, digest };
}

/** Reads a record of an entity's own log. Returns undefined for any other text. */
export function readRecord(text: string): LogRecord | undefined {
  let record: unknown;
  try {
    record = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(record)) return undefined;
  const { position, type, version, state, timestamp } = record;
  if (typeof position !== "string" || typeof type !== "string" || typeof state !== "string") return undefined;
  if (typeof timestamp !== "string" || typeof version !== "number" || !Number.isSafeInteger(version))
    return undefined;
  return { position, type, version, state, timestamp };
}

/** Describes the first difference between an entity and the change that should be its last; undefined for none. */
export function differenceFrom(
  change: ChangeFacts & Partial<Pick<ChangeText, "since" | "createdAt" | "digest">>,
  { hash = new Map(), times }: StoredEntity,
): string | undefined {
  const { version, state, timestamp, since, createdAt, digest } = change;
  const facts = [
    ["version", String(version), hash.get("version")],
    ["state", state, hash.get("state")],
    ["the time of the last change", timestamp, isoText(times?.changed, timestamp)],
    ["since", since, isoText(times?.entered, since)],
    ["created", createdAt, hash.get("created")],
  ];
  for (const [name, logged, stored] of facts) {
    if (logged !== undefined && logged !== stored)
      return `${name} is ${stored ?? "missing"} in the entity, ${logged} in the change`;
  }
  if (digest === undefined) return undefined;
  try {
    const own = [...hash].filter(([field]) => isOwnField(field));
    const stored = fieldsDigest(own.map(([field, text]) => [field, JSON.parse(text)]));
    return stored === digest ? undefined : "the own fields have other names or values in the entity";
  } catch {
    return undefined; // a field that is not JSON is a finding of its own
  }
}

/** Returns a time as text; `logged` if that is later, because times ahead of the clock are corrected without a change. */
function isoText(ms: number | undefined, logged: string | undefined): string | undefined {
  if (ms === undefined) return undefined;
  return logged !== undefined && ms < Date.parse(logged) ? logged : new Date(ms).toISOString();
}

function fieldsDigest(fields: readonly (readonly [string, JsonValue])[]): string {
  const sorted = fields.toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHash("sha1").update(JSON.stringify(sorted)).digest("base64").slice(0, 16);
}
