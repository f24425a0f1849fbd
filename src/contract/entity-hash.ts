import { readDocument, type Snapshot } from "./document.js";
import type { Fields } from "./own-fields.js";

/** Fields of the scripts. Their other fields have a colon. */
const INTERNAL = new Set(["state", "version", "created"]);

/** The latest time that a date can hold, in ms. Only damaged data is later. */
const LATEST_MS = 8.64e15;

/** Returns whether a field of an entity's hash is the caller's own. */
export function isOwnField(field: string): boolean {
  return !INTERNAL.has(field) && !field.includes(":");
}

/**
 * Builds an entity's snapshot from its hash, as the scripts do: the texts of own fields are copied, with all digits.
 *
 * @param hash the reply to HGETALL
 * @param due time in ms at which its first timer fires
 * @returns null if the hash is empty: the entity does not exist
 */
export function readEntity<S extends string, F extends object = Fields>(
  machine: string,
  id: string,
  hash: Readonly<Record<string, string>>,
  due?: number | null,
): Snapshot<S, F> | null {
  const { state, version, created } = hash;
  if (state === undefined) return null;
  // The last change, the entry into the state, and the last heartbeat, in ms.
  const [changed = "", entered = ""] = (hash["times:ms"] ?? "").split(" ");
  const timestamp = isoOf(changed);
  const since = entered === changed ? timestamp : isoOf(entered);
  const dueAt = typeof due === "number" && Math.abs(due) <= LATEST_MS ? `,"dueAt":"${isoOf(due)}"` : "";
  let own = "";
  for (const field of Object.keys(hash)) if (isOwnField(field)) own += `,"${field}":${hash[field]}`;
  return readDocument<Snapshot<S, F>>(
    `{"machine":"${machine}","id":"${id}","state":"${state}","version":${version},"timestamp":"${timestamp}",` +
      `"since":"${since}","createdAt":"${created}"${dueAt}${own}}`,
  );
}

function isoOf(ms: string | number): string {
  return new Date(Number(ms)).toISOString();
}
