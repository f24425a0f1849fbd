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
 * @param what name of the question, for the error
 * @param due the times at which their timers fire, as `dueOf` returns them; without it the entities have no `dueAt`
 */
export async function getMany<S extends string, F extends object = Fields>(
  store: LimitedStore,
  ids: readonly string[],
  what: string,
  due: readonly (number | null)[] | Promise<readonly (number | null)[]> = [],
): Promise<(Snapshot<S, F> | null)[]> {
  const { connection, location } = store;
  const keys = ids.map((id) => entityKey(location, id));
  const read = askEach(connection, keys, what, readHashes, store);
  await Promise.allSettled([read, due]); // if both fail, the error is that of the entities
  const [hashes, times] = [await read, await due];
  return hashes.map((hash, at) => readEntity<S, F>(location.machine, ids[at] ?? "", hash, times[at]));
}
