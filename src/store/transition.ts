import { STATE_NAME } from "../machine/names.js";
import { change, type Store } from "./call.js";
import { checkName, type TransitionOptions } from "./change-options.js";
import type { Result } from "./result.js";

/** Moves an entity to another state. */
export async function transition<S extends string>(
  store: Store,
  id: string,
  to: S,
  options: TransitionOptions,
): Promise<Result<S>> {
  return change<S>(store, "transition", id, [checkName(STATE_NAME, to)], options);
}
