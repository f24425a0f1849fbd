import { checkObject, checkOptions } from "../contract/arguments.js";
import type { JsonValue } from "../machine/json-value.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { change } from "./change.js";
import { CREATE_OPTIONS, type CreateOptions } from "./options.js";
import type { Result } from "./result.js";

/** Brings an entity into being in the machine's initial state, with its first own fields. */
export function create<S extends string>(
  store: MachineStore,
  id: string,
  fields: Readonly<Record<string, JsonValue>>,
  options: CreateOptions,
): Promise<Result<S>> {
  checkOptions(options, CREATE_OPTIONS);
  checkObject("fields", fields);
  return change<S>(store, "create", id, [], { ...options, set: fields });
}
