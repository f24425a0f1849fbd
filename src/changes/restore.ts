import { ask } from "../valkey/ask.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { readServerTime } from "../valkey/server-clock.js";
import { restoreCall } from "./call.js";
import { change } from "./change.js";
import type { RestoreOptions } from "./options.js";
import type { Result } from "./result.js";

/** Creates an entity in any state, with its version, times and stamps. */
export async function restore<S extends string>(
  store: MachineStore,
  id: string,
  state: S,
  options: RestoreOptions,
): Promise<Result<S>> {
  const name = `restore ${store.location.machine} ${id}`;
  const readNow = async (): Promise<number> => (await ask(store.connection, name, readServerTime)).nowMs;
  return change<S>(store, await restoreCall(id, state, options, readNow));
}
