import { change, type Store } from "./change.js";
import { checkOptions, REMOVE_OPTIONS, type RemoveOptions } from "./options.js";
import type { Result } from "./result.js";

/** Deletes an entity with its log; the event log keeps what happened. */
export function remove<S extends string>(
  store: Store,
  id: string,
  options: RemoveOptions,
): Promise<Result<S>> {
  checkOptions(options, REMOVE_OPTIONS);
  return change<S>(store, "remove", id, [], options);
}
