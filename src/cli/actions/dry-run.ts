import { explainRejection } from "../../changes/explain-rejection.js";
import { optionWords, type TransitionOptions } from "../../changes/options.js";
import type { Rejection } from "../../changes/result.js";
import { missingFields } from "../../contract/required-fields.js";
import type { Entities } from "../../entities.js";
import { ContractError } from "../../errors/latchkey-error.js";
import { stateOf } from "../../machine/compiled.js";

/** The kind of a change, and its entity. */
export interface ChangeTarget {
  readonly verb: "create" | "transition" | "patch" | "remove";
  readonly id: string;
  /** The state to enter, of a transition. */
  readonly to?: string;
}

/** The result that a change would have. */
export interface Outlook {
  /** The state before the change; null before a create. */
  readonly from: string | null;
  readonly state: string;
  readonly version: number;
}

/**
 * Judges a change by the current entity and machine, in the same order as the scripts, and writes nothing. It does not
 * look up whether the change was already applied.
 *
 * @throws RejectedError or ContractError, as the change itself would.
 */
export async function dryRun(
  entities: Entities,
  { verb, id, to }: ChangeTarget,
  options: TransitionOptions,
): Promise<Outlook> {
  const { definition, name: machine } = entities;
  optionWords({ ...options, op: options.op ?? "dry-run" });
  const current = await entities.get(id);
  const state = to ?? current?.state ?? definition.initial;
  const reject = (rejection: Rejection): never => {
    const moved = to === undefined ? {} : { to };
    throw explainRejection({ ...options, ...moved, machine, id, definition }, rejection, current);
  };
  if (verb === "create" && current !== null) reject("EXISTS");
  if (verb !== "create" && current === null) reject("NOTFOUND");
  const { ifVersion = current?.version, ifState = current?.state, force, set = {}, unset = [] } = options;
  if (ifVersion !== current?.version || ifState !== current?.state) reject("CONFLICT");
  if (verb === "transition") {
    const isKnown = stateOf(definition, state) !== undefined;
    const isAllowed = force === true || stateOf(definition, current?.state ?? "")?.to?.includes(state);
    if (!isKnown || isAllowed !== true) reject("ILLEGAL");
  }
  if (verb !== "remove") {
    const stamps = Object.values(definition.states).map(({ stamp }) => stamp);
    const stamp = [...Object.keys(set), ...unset].find((field) => stamps.includes(field));
    if (stamp !== undefined) {
      const text = `${stamp} is managed by the machine and cannot be set or unset`;
      throw new ContractError("BADARG", `${verb} ${machine} ${id}: ${text}`);
    }
    const isEntered = verb !== "patch";
    if (missingFields({ definition, state, isEntered, current, set, unset }).length > 0) reject("MISSING");
  }
  return { from: current?.state ?? null, state, version: (current?.version ?? 0) + 1 };
}
