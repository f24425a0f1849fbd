import { checkName, checkOptions } from "../contract/arguments.js";
import { STATE_NAME } from "../machine/names.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { change } from "./change.js";
import { TRANSITION_OPTIONS, type TransitionOptions } from "./options.js";
import type { Result } from "./result.js";

/** Moves an entity to another state. */
export async function transition<S extends string>(
  store: MachineStore,
  id: string,
  to: S,
  options: TransitionOptions,
): Promise<Result<S>> {
  checkOptions(options, TRANSITION_OPTIONS);
  return change<S>(store, "transition", id, [checkName(STATE_NAME, to)], options);
}
