import { ask } from "../valkey/ask.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { readServerTime } from "../valkey/server-clock.js";
import { restoreCall } from "./call.js";
import { change } from "./change.js";
import type { RestoreOptions } from "./options.js";
import type { Result } from "./result.js";

/** Creates an entity in any state, with its version, times and stamps. */
export async function restore<S extends string, F extends object>(
  store: MachineStore,
  id: string,
  state: S,
  options: RestoreOptions,
): Promise<Result<S, F>> {
  const { connection, location } = store;
  const name = `restore ${location.machine} ${id}`;
  const readNow = async (): Promise<number> => (await ask(connection, name, readServerTime)).nowMs;
  const call = await restoreCall(id, state, options, readNow, connection.actor);
  return change<S, F>(store, () => call);
}
