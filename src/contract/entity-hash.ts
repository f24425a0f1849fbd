import { type Replay, readDocument, type Snapshot } from "./document.js";

/** Fields of the scripts. Their other fields have a colon. */
const INTERNAL = new Set(["state", "version", "at", "since", "created", "ops"]);

/** Returns whether a field of an entity's hash is the caller's own. */
export function isOwnField(field: string): boolean {
  return !INTERNAL.has(field) && !field.includes(":");
}

/**
 * Makes an entity's snapshot of its hash, as the scripts do: the own fields' texts go in as they are.
 *
 * @param hash the answer of HGETALL
 * @returns null for an empty hash: there is no such entity
 */
export function readEntity<S extends string>(
  machine: string,
  id: string,
  hash: Readonly<Record<string, string>>,
): Snapshot<S> | null {
  const text = entityText(machine, id, hash);
  return text === null ? null : readDocument<Snapshot<S>>(text);
}

/** The same for an entity that stands, where an op was done before: with the version that it made. */
export function readReplay<S extends string>(
  machine: string,
  id: string,
  hash: Readonly<Record<string, string>>,
  opVersion: number,
): Replay<S> {
  const text = entityText(machine, id, hash, `,"opVersion":${opVersion}`) ?? "null";
  return readDocument<Replay<S>>(text);
}

/** The snapshot's JSON text, without losing a digit of what the caller stored. */
export function entityText(
  machine: string,
  id: string,
  hash: Readonly<Record<string, string>>,
  further = "",
): string | null {
  const { state, version, at, since, created } = hash;
  if (state === undefined) return null;
  const own = Object.entries(hash)
    .filter(([field]) => isOwnField(field))
    .map(([field, json]) => `,"${field}":${json}`)
    .join("");
  return (
    `{"machine":"${machine}","id":"${id}","state":"${state}","version":${version},"timestamp":"${isoOf(at)}",` +
    `"since":"${isoOf(since)}","createdAt":"${created}"${further}${own}}`
  );
}

function isoOf(ms: string | undefined): string {
  return new Date(Number(ms)).toISOString();
}
