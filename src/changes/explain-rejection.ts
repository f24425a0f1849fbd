import type { Snapshot } from "../contract/document.js";
import { missingFields } from "../contract/required-fields.js";
import {
  AlreadyExistsError,
  ConflictError,
  DeadlineExceededError,
  IllegalTransitionError,
  MissingFieldError,
  NotFoundError,
  OutcomeForgottenError,
  type RejectedError,
} from "../errors/rejected-errors.js";
import { type CompiledMachine, stateOf } from "../machine/compiled.js";
import { didYouMean } from "../machine/suggest.js";
import type { FieldOptions, GuardOptions } from "./options.js";
import type { Rejection } from "./result.js";

/** A rejected call: enough to explain the rejection. */
export interface RejectedCall extends GuardOptions, FieldOptions {
  readonly machine: string;
  readonly id: string;
  /** The state to enter; undefined if the call does not move the entity. */
  readonly to?: string;
  readonly definition: CompiledMachine;
}

/** Makes the typed error of a rejection. Its message is complete: no further request is needed to understand it. */
export function explainRejection(
  call: RejectedCall,
  rejection: Rejection,
  current: Snapshot | null,
): RejectedError {
  const { machine, id } = call;
  const name = `${machine} ${id}`;
  const now = current === null ? "" : `state ${current.state}, version ${current.version}`;
  const entity = [machine, id, current] as const;
  switch (rejection) {
    case "EXISTS":
      return new AlreadyExistsError(rejection, `${name} already exists: ${now}`, ...entity);
    case "NOTFOUND":
      return new NotFoundError(rejection, `${name} not found`, machine, id, null);
    case "CONFLICT": {
      const difference = `expected ${expectation(call)}; found ${now}`;
      return new ConflictError(rejection, `${name} does not match: ${difference}`, ...entity);
    }
    case "EXPIRED":
      return new DeadlineExceededError(rejection, `${name} was not changed: notAfter has passed`, ...entity);
    case "FORGOTTEN": {
      const text = `${name}: the outcome of the first attempt is no longer known, and no later attempt was applied`;
      return new OutcomeForgottenError(rejection, now === "" ? text : `${text}; ${now}`, ...entity);
    }
    case "MISSING":
      return missing(call, name, current);
    case "ILLEGAL":
      return illegal(call, name, current);
  }
}

function illegal(call: RejectedCall, name: string, current: Snapshot | null): IllegalTransitionError {
  const { machine, id, definition, to = "" } = call;
  const from = current?.state ?? "";
  const known = stateOf(definition, from);
  const isOutdated = known?.to?.includes(to) === true;
  const allowed = isOutdated ? [] : (known?.to ?? []);
  const states = Object.keys(definition.states);
  const why =
    known === undefined
      ? `state ${from} is not in version ${definition.version} of the machine, which this process uses`
      : isOutdated
        ? otherVersion(definition)
        : !states.includes(to)
          ? `unknown state "${to}"${didYouMean(to, states)}`
          : allowed.length === 0
            ? `${from} is final`
            : `allowed: ${allowed.join(", ")}`;
  const message = `${name} cannot transition from ${from} to ${to}: ${why}`;
  return new IllegalTransitionError(message, machine, current ?? ({ id } as Snapshot), to, allowed);
}

/** Explains a rejection that this process's definition does not: a newer version of the machine is being rolled out. */
function otherVersion({ name, version }: CompiledMachine): string {
  return `the installed ${name} machine is not version ${version}, which this process uses`;
}

function expectation({ ifVersion, ifState }: RejectedCall): string {
  const parts = [
    ...(ifState === undefined ? [] : [`state ${ifState}`]),
    ...(ifVersion === undefined ? [] : [`version ${ifVersion}`]),
  ];
  return parts.join(", ");
}

function missing(call: RejectedCall, name: string, current: Snapshot | null): MissingFieldError {
  const { definition, set, unset, to } = call;
  const state = to ?? current?.state ?? definition.initial;
  const isEntered = to !== undefined || current === null;
  const absent = missingFields({ definition, state, isEntered, current, set, unset });
  const fields = absent.map((field) => `"${field}"`).join(", ");
  const why =
    absent.length === 0
      ? `state ${state} requires further fields: ${otherVersion(definition)}`
      : `state ${state} requires field${absent.length > 1 ? "s" : ""} ${fields}; set ${absent.length > 1 ? "them" : "it"} in the same call`;
  return new MissingFieldError(`${name}: ${why}`, call.machine, call.id, current, absent);
}
