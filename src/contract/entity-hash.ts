import { type Replay, readDocument, type Snapshot } from "./document.js";

/** Fields of the scripts. Their other fields have a colon. */
const INTERNAL = new Set(["state", "version", "at", "since", "created", "ops"]);

/** Returns whether a field of an entity's hash is the caller's own. */
export function isOwnField(field: string): boolean {
  return !INTERNAL.has(field) && !field.includes(":");
}

/**
 * Builds an entity's snapshot from its hash, as the scripts do: the texts of own fields are copied.
 *
 * @param hash the reply to HGETALL
 * @returns null if the hash is empty: the entity does not exist
 */
export function readEntity<S extends string>(
  machine: string,
  id: string,
  hash: Readonly<Record<string, string>>,
): Snapshot<S> | null {
  const text = entityText(machine, id, hash);
  return text === null ? null : readDocument<Snapshot<S>>(text);
}

/** Builds the replay of an entity, with the version that the original change created. */
export function readReplay<S extends string>(
  machine: string,
  id: string,
  hash: Readonly<Record<string, string>>,
  opVersion: number,
): Replay<S> {
  const text = entityText(machine, id, hash, `,"opVersion":${opVersion}`) ?? "null";
  return readDocument<Replay<S>>(text);
}

/** Builds the snapshot's JSON text, with all digits that the caller stored. */
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
