import { checkId, checkWhole } from "../contract/arguments.js";
import { type Change, readDocument, type Snapshot } from "../contract/document.js";
import { readEntity } from "../contract/entity-hash.js";
import { ask } from "../valkey/ask.js";
import { entityKey, logKey } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";

/** Reads one entity; null if it does not exist. */
export async function get<S extends string>(store: MachineStore, id: string): Promise<Snapshot<S> | null> {
  const { connection, location } = store;
  const key = entityKey(location, checkId("id", id, 128));
  const hash = await ask(connection, `get ${location.machine} ${id}`, (client) => client.hgetall(key));
  return readEntity<S>(location.machine, id, hash);
}

/** Reads several entities in one round trip, in the order of `ids`; null for those that do not exist. */
export async function getMany<S extends string>(
  store: MachineStore,
  ids: readonly string[],
): Promise<(Snapshot<S> | null)[]> {
  return Promise.all(ids.map((id) => get<S>(store, id)));
}

/**
 * Reads an entity's last changes, oldest first.
 *
 * @param limit maximum number, counted from the newest; default: all that the machine's `history` keeps
 */
export async function history<S extends string>(
  store: MachineStore,
  id: string,
  limit?: number,
): Promise<Change<S>[]> {
  if (limit !== undefined) checkWhole("limit", limit, 1);
  const { connection, location } = store;
  const key = logKey(location, checkId("id", id, 128));
  const from = limit === undefined ? 0 : -limit;
  const texts = await ask(connection, `history ${location.machine} ${id}`, (client) =>
    client.lrange(key, from, -1),
  );
  return texts.map((text) => readDocument<Change<S>>(text));
}
