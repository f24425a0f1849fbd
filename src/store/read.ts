import { entityKey, logKey } from "../valkey/keys.js";
import { clientOf, type Store } from "./call.js";
import { checkId } from "./change-options.js";
import { type Change, readDocument, type Snapshot } from "./document.js";
import { readEntity } from "./entity.js";

/** Reads one entity; null where there is none. */
export async function get<S extends string>(store: Store, id: string): Promise<Snapshot<S> | null> {
  const hash = await clientOf(store).hgetall(entityKey(store.place, checkId("id", id, 128)));
  return readEntity<S>(store.place.machine, id, hash);
}

/** Reads several entities in one round trip, in the order of their ids; null where there is none. */
export async function getMany<S extends string>(
  store: Store,
  ids: readonly string[],
): Promise<(Snapshot<S> | null)[]> {
  const client = clientOf(store);
  const hashes = await Promise.all(
    ids.map((id) => client.hgetall(entityKey(store.place, checkId("id", id, 128)))),
  );
  return ids.map((id, at) => readEntity<S>(store.place.machine, id, hashes[at] ?? {}));
}

/**
 * Reads an entity's last changes, oldest first.
 *
 * @param limit how many of the newest; all that the machine's `history` keeps where not given
 */
export async function history<S extends string>(
  store: Store,
  id: string,
  limit?: number,
): Promise<Change<S>[]> {
  if (limit !== undefined && (!Number.isInteger(limit) || limit < 1)) {
    throw new RangeError("limit must be a whole number, 1 or more");
  }
  const key = logKey(store.place, checkId("id", id, 128));
  const texts = await clientOf(store).lrange(key, limit === undefined ? 0 : -limit, -1);
  return texts.map((text) => readDocument<Change<S>>(text));
}
