import { explainRejection } from "../../changes/explain-rejection.js";
import type { TransitionOptions } from "../../changes/options.js";
import { optionWords } from "../../changes/options.js";
import type { Rejection } from "../../changes/result.js";
import type { Snapshot } from "../../contract/document.js";
import type { Entities } from "../../entities.js";
import { ContractError } from "../../errors/latchkey-error.js";

/** A change as it would be sent. */
export interface IntendedChange {
  readonly verb: "create" | "transition" | "patch" | "remove";
  readonly id: string;
  /** Where a transition goes. */
  readonly to?: string;
  readonly options: TransitionOptions;
}

/** What a change would lead to. */
export interface Outlook {
  /** The entity as it is; null before a create. */
  readonly current: Snapshot | null;
  readonly state: string;
  readonly version: number;
}

/**
 * Judges a change by the entity and the machine as they are now, in the order in which the scripts do, and writes
 * nothing. Whether its op was done before is not looked up.
 *
 * @throws RejectedError or ContractError, as the change itself would.
 */
export async function foresee(entities: Entities, intended: IntendedChange): Promise<Outlook> {
  const { verb, id, options } = intended;
  const { definition } = entities;
  optionWords({ ...options, op: options.op ?? "dry-run" });
  const current = await entities.get(id);
  const state = intended.to ?? current?.state ?? definition.initial;
  const refuse = (refusal: Rejection): never => {
    const to = intended.to === undefined ? {} : { to: intended.to };
    throw explainRejection({ ...options, ...to, machine: entities.name, id, definition }, refusal, current);
  };
  if (verb === "create" && current !== null) refuse("EXISTS");
  if (verb !== "create" && current === null) refuse("NOTFOUND");
  if (options.ifVersion !== undefined && options.ifVersion !== current?.version) refuse("CONFLICT");
  if (options.ifState !== undefined && options.ifState !== current?.state) refuse("CONFLICT");
  if (verb === "transition" && !isLegal(entities, current, state, options.force === true)) refuse("ILLEGAL");
  if (verb !== "remove") {
    refuseStamps(entities, intended);
    if (lacksField(entities, current, state, options)) refuse("MISSING");
  }
  return { current, state, version: (current?.version ?? 0) + 1 };
}

function isLegal({ definition }: Entities, current: Snapshot | null, to: string, isForced: boolean): boolean {
  if (!Object.hasOwn(definition.states, to)) return false;
  const from =
    current !== null && Object.hasOwn(definition.states, current.state) ? current.state : undefined;
  return isForced || (from !== undefined && definition.states[from]?.to?.includes(to) === true);
}

function refuseStamps({ definition }: Entities, { verb, id, options }: IntendedChange): void {
  const stamps = new Set(Object.values(definition.states).flatMap(({ stamp }) => stamp ?? []));
  const touched = [...Object.keys(options.set ?? {}), ...(options.unset ?? [])].find((field) =>
    stamps.has(field),
  );
  if (touched === undefined) return;
  throw new ContractError(
    "BADARG",
    `${verb} ${definition.name} ${id}: ${touched} is a stamp: only the server sets it`,
  );
}

function lacksField(
  { definition }: Entities,
  current: Snapshot | null,
  state: string,
  { set = {}, unset = [] }: TransitionOptions,
): boolean {
  const required = (Object.hasOwn(definition.states, state) && definition.states[state]?.require) || [];
  return required.some(
    (field) => !Object.hasOwn(set, field) && (unset.includes(field) || !Object.hasOwn(current ?? {}, field)),
  );
}
