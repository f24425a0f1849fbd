import type { Snapshot } from "../contract/document.js";
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
import type { CompiledMachine, CompiledState } from "../machine/compiled.js";
import type { FieldOptions, GuardOptions } from "./options.js";
import type { Rejection } from "./result.js";

/** What was asked for: enough to say why it was refused. */
export interface Asked extends GuardOptions, FieldOptions {
  readonly machine: string;
  readonly id: string;
  /** The state to enter; undefined where the call does not move the entity. */
  readonly to?: string;
  /** The installed machine, where it is known. */
  readonly definition: CompiledMachine;
}

/** Makes the typed error of a refusal, with a message that needs no second look at the server. */
export function explainRejection(asked: Asked, refusal: Rejection, current: Snapshot | null): RejectedError {
  const { machine, id, definition } = asked;
  const name = `${machine} ${id}`;
  const now =
    current === null ? "" : `it is ${current.state} since ${current.since}, version ${current.version}`;
  switch (refusal) {
    case "EXISTS":
      return new AlreadyExistsError("EXISTS", `${name} exists already: ${now}`, machine, id, current);
    case "NOTFOUND":
      return new NotFoundError("NOTFOUND", `${name} not found`, machine, id, null);
    case "CONFLICT":
      return new ConflictError("CONFLICT", `${name} is not ${expected(asked)}: ${now}`, machine, id, current);
    case "EXPIRED":
      return new DeadlineExceededError(
        "EXPIRED",
        `${name} was not changed: notAfter has passed`,
        machine,
        id,
        current,
      );
    case "FORGOTTEN":
      return new OutcomeForgottenError(
        "FORGOTTEN",
        `${name}: whether the first attempt was done can't be told any more, and none was after it${now === "" ? "" : `; ${now}`}`,
        machine,
        id,
        current,
      );
    case "MISSING":
      return missing(asked, name, current);
    case "ILLEGAL": {
      const known = current === null ? undefined : stateOf(definition, current.state);
      const isOutdated = known?.to?.includes(asked.to ?? "") === true;
      const allowed = isOutdated ? [] : (known?.to ?? []);
      const ways = allowed.length === 0 ? "it is final" : `possible: ${allowed.join(", ")}`;
      const unknown = `that is no state of version ${definition.version}, which this process knows`;
      const possible = known === undefined ? unknown : isOutdated ? otherVersion(definition) : ways;
      const from = current ?? ({ id } as Snapshot);
      return new IllegalTransitionError(
        `${name} can't go to ${asked.to}: ${now}; ${possible}`,
        machine,
        from,
        asked.to ?? "",
        allowed,
      );
    }
  }
}

/** Where the server judged otherwise than the definition here would: an older replica, while a newer one is rolled out. */
function otherVersion({ name, version }: CompiledMachine): string {
  return `the ${name} machine that is installed is not version ${version}, which this process knows`;
}

/** A state by its name, which may be a word that every object answers to. */
function stateOf(definition: CompiledMachine, state: string): CompiledState | undefined {
  return Object.hasOwn(definition.states, state) ? definition.states[state] : undefined;
}

function expected({ ifVersion, ifState }: Asked): string {
  const parts = [
    ...(ifVersion === undefined ? [] : [`at version ${ifVersion}`]),
    ...(ifState === undefined ? [] : [ifState]),
  ];
  return parts.join(" and ");
}

function missing(asked: Asked, name: string, current: Snapshot | null): MissingFieldError {
  const { definition, set = {}, unset = [], to } = asked;
  const state = to ?? current?.state ?? definition.initial;
  const { require: required = [], stamp } = stateOf(definition, state) ?? {};
  const absent = required.filter((field) => {
    if (field === stamp) return false; // set on entry
    if (Object.hasOwn(set, field)) return false;
    return unset.includes(field) || !Object.hasOwn(current ?? {}, field);
  });
  const todo =
    absent.length === 0
      ? `needs further fields to be ${state}: ${otherVersion(definition)}`
      : `needs ${absent.join(", ")} to be ${state}; set ${absent.length > 1 ? "them" : "it"} in the same call`;
  return new MissingFieldError(`${name} ${todo}`, asked.machine, asked.id, current, absent);
}
