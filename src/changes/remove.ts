import { checkOptions } from "../contract/arguments.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { change } from "./change.js";
import { REMOVE_OPTIONS, type RemoveOptions } from "./options.js";
import type { Result } from "./result.js";

/** Deletes an entity with its log; the event log keeps what happened. */
export function remove<S extends string>(
  store: MachineStore,
  id: string,
  options: RemoveOptions,
): Promise<Result<S>> {
  checkOptions(options, REMOVE_OPTIONS);
  return change<S>(store, "remove", id, [], options);
}
