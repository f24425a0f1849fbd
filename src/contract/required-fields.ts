import { type CompiledMachine, stateOf } from "../machine/compiled.js";

/** A call that leaves an entity in a state, as far as required fields depend on it. */
export interface StateFields {
  readonly definition: CompiledMachine;
  /** The state after the call. */
  readonly state: string;
  /** The call enters the state, so that the script sets its stamp. */
  readonly isEntered: boolean;
  /** The entity before the call; null if there is none. */
  readonly current: object | null;
  readonly set?: object | undefined;
  readonly unset?: readonly string[] | undefined;
}

/**
 * Lists the fields that the state requires and the entity would lack after the call, as the scripts judge it.
 *
 * @returns field names in the order of the definition; none for a state that the definition does not know
 */
export function missingFields(call: StateFields): string[] {
  const { definition, state, isEntered, current, set, unset = [] } = call;
  const { require: required = [], stamp } = stateOf(definition, state) ?? {};
  return required.filter((field) => {
    if (isEntered && field === stamp) return false;
    if (Object.hasOwn(set ?? {}, field)) return false;
    return unset.includes(field) || !Object.hasOwn(current ?? {}, field);
  });
}
