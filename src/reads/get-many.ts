import type { Snapshot } from "../contract/document.js";
import { readEntity } from "../contract/entity-hash.js";
import { ask } from "../valkey/ask.js";
import { entityKey } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";

/**
 * Reads several entities in one round trip, in the order of `ids`; null for those that do not exist. Needs no script, so
 * that commands start fast.
 *
 * @param due the times at which their timers fire, as `dueOf` returns them; without it the entities have no `dueAt`
 */
export async function getMany<S extends string>(
  { connection, location }: MachineStore,
  ids: readonly string[],
  due: readonly (number | null)[] | Promise<readonly (number | null)[]> = [],
): Promise<(Snapshot<S> | null)[]> {
  const name =
    ids.length === 1 ? `get ${location.machine} ${ids[0]}` : `get ${ids.length} of ${location.machine}`;
  const [hashes, times] = await Promise.all([
    ask(connection, name, (client) =>
      Promise.all(ids.map((id) => client.hgetall(entityKey(location, id)))),
    ),
    due,
  ]);
  return hashes.map((hash, at) => readEntity<S>(location.machine, ids[at] ?? "", hash, times[at]));
}
