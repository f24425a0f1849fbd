import { checkOptions, refuse } from "../contract/arguments.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { change } from "./change.js";
import { PATCH_OPTIONS, type PatchOptions } from "./options.js";
import type { Result } from "./result.js";

/** Changes own fields only: state, `since` and timers stay. */
export async function patch<S extends string>(
  store: MachineStore,
  id: string,
  options: PatchOptions,
): Promise<Result<S>> {
  checkOptions(options, PATCH_OPTIONS);
  const { set = {}, unset = [] } = options;
  // Of another kind, they are told as that.
  if (isEmpty(set) && isEmpty(unset))
    refuse("patch changes nothing: give it fields in `set` or names in `unset`");
  return change<S>(store, "patch", id, [], options);
}

function isEmpty(parts: unknown): boolean {
  return typeof parts === "object" && parts !== null && Object.keys(parts).length === 0;
}
