import { type CompiledMachine, stateOf } from "../../machine/compiled.js";
import { ErrorReply, type ModelCall } from "./call.js";

const MOST_FIELDS = 64;
const MOST_BYTES = 262_144;

/** A change of the own fields of an entity. */
export interface FieldChange extends Pick<ModelCall, "set" | "unset"> {
  readonly machine: CompiledMachine;
  /** Own fields before it. */
  readonly before: ReadonlyMap<string, string>;
  /** The state after it. */
  readonly state: string;
  /** Time of entering the state as JSON text; undefined if it is not entered. */
  readonly stamp?: string | undefined;
  /** True if the call may write stamps, as `restore` does. */
  readonly maySetStamps?: boolean;
  /** True if the call may remove stamps, as a forced transition does. */
  readonly mayUnsetStamps?: boolean;
  /** True for a timer: no caller can make room when it fires. */
  readonly isTimer?: boolean;
}

/**
 * Applies a change to own fields.
 *
 * @returns the fields after it and the ones that it wrote; `"MISSING"` if the state requires a field that is absent
 * @throws Error with the error reply of the scripts
 */
export function applyFields(
  change: FieldChange,
): { fields: Map<string, string>; written: Map<string, string> } | "MISSING" {
  const { machine, before, state, set, unset, stamp: time, isTimer = false } = change;
  const { stamp, require: required = [] } = stateOf(machine, state) ?? {};
  const stamps = new Set(Object.values(machine.states).flatMap((other) => other.stamp ?? []));
  for (const name of stamps) {
    const isWrong =
      (unset.has(name) && change.mayUnsetStamps !== true) || (set.has(name) && change.maySetStamps !== true);
    if (isWrong) throw new ErrorReply("BADARG field");
  }
  const fields = new Map([...before, ...set]);
  for (const name of unset) fields.delete(name);
  const own = [...fields].filter(([name]) => !stamps.has(name));
  const size = own.reduce((sum, [name, json]) => sum + Buffer.byteLength(name) + Buffer.byteLength(json), 0);
  if (set.size > 0 && !isTimer && (own.length > MOST_FIELDS || size > MOST_BYTES))
    throw new ErrorReply("BADARG SET");
  // A state that requires its own stamp gets it on entry.
  const isStamped = time !== undefined && stamp !== undefined;
  if (!required.every((name) => fields.has(name) || (isStamped && name === stamp))) return "MISSING";
  const written = new Map(set);
  if (isStamped && !fields.has(stamp)) {
    fields.set(stamp, time);
    written.set(stamp, time);
  }
  return { fields, written };
}
