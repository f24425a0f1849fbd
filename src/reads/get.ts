import type { Store } from "../changes/change.js";
import { checkId } from "../changes/options.js";
import { type Change, readDocument, type Snapshot } from "../contract/document.js";
import { readEntity } from "../contract/entity-hash.js";
import { ContractError } from "../errors/errors.js";
import { ask } from "../valkey/ask.js";
import { entityKey, logKey } from "../valkey/keys.js";

/** Reads one entity; null where there is none. */
export async function get<S extends string>(store: Store, id: string): Promise<Snapshot<S> | null> {
  const { connection, place } = store;
  const key = entityKey(place, checkId("id", id, 128));
  const hash = await ask(connection, `get ${place.machine} ${id}`, (client) => client.hgetall(key));
  return readEntity<S>(place.machine, id, hash);
}

/** Reads several entities in one round trip, in the order of their ids; null where there is none. */
export async function getMany<S extends string>(
  store: Store,
  ids: readonly string[],
): Promise<(Snapshot<S> | null)[]> {
  return Promise.all(ids.map((id) => get<S>(store, id)));
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
    throw new ContractError("BADARG", "limit must be a whole number, 1 or more");
  }
  const { connection, place } = store;
  const key = logKey(place, checkId("id", id, 128));
  const from = limit === undefined ? 0 : -limit;
  const texts = await ask(connection, `history ${place.machine} ${id}`, (client) =>
    client.lrange(key, from, -1),
  );
  return texts.map((text) => readDocument<Change<S>>(text));
}
