import { change, type Store } from "./call.js";
import type { PatchOptions } from "./change-options.js";
import { ContractError } from "./errors.js";
import type { Result } from "./result.js";

/** Changes own fields only: state, `since` and timers stay. */
export async function patch<S extends string>(
  store: Store,
  id: string,
  options: PatchOptions,
): Promise<Result<S>> {
  if (Object.keys(options.set ?? {}).length === 0 && (options.unset ?? []).length === 0) {
    throw new ContractError("BADARG", "patch changes nothing: give it fields in `set` or names in `unset`");
  }
  return change<S>(store, "patch", id, [], options);
}
