import type { Snapshot } from "../contract/document.js";
import { readEntity } from "../contract/entity-hash.js";
import type { Fields } from "../contract/own-fields.js";
import type { LimitedStore } from "../valkey/ask.js";
import { askEach } from "../valkey/ask-each.js";
import { readHashes } from "../valkey/hash-reads.js";
import { entityKey } from "../valkey/keys.js";

/**
 * Reads several entities in one round trip to each server, in the order of `ids`; null for those that do not exist. Needs no script, so
 * that commands start fast.
 *
 * @param due the times at which their timers fire, as `dueOf` returns them; without it the entities have no `dueAt`
 */
export async function getMany<S extends string, F extends object = Fields>(
  store: LimitedStore,
  ids: readonly string[],
  due: readonly (number | null)[] | Promise<readonly (number | null)[]> = [],
): Promise<(Snapshot<S, F> | null)[]> {
  const { connection, location } = store;
  const name =
    ids.length === 1 ? `get ${location.machine} ${ids[0]}` : `get ${ids.length} of ${location.machine}`;
  const keys = ids.map((id) => entityKey(location, id));
  const read = askEach(connection, keys, name, readHashes, store);
  const [hashes, times] = await Promise.all([read, due]);
  return hashes.map((hash, at) => readEntity<S, F>(location.machine, ids[at] ?? "", hash, times[at]));
}
