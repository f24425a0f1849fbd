import {
  checkId,
  checkName,
  checkObject,
  checkOptions,
  checkWhole,
  refuse,
  shortText,
} from "../contract/arguments.js";
import type { JsonValue } from "../machine/json-value.js";
import { STATE_NAME } from "../machine/names.js";
import type { RejectedCall } from "./explain-rejection.js";
import type { Intent } from "./intent.js";
import {
  CREATE_OPTIONS,
  type CreateOptions,
  checkDefined,
  optionWords,
  PATCH_OPTIONS,
  type PatchOptions,
  REMOVE_OPTIONS,
  RESTORE_OPTIONS,
  type RemoveOptions,
  type RestoreOptions,
  TRANSITION_OPTIONS,
  type TransitionOptions,
} from "./options.js";

/** One change as the caller asks for it: checked, and encoded for the scripts. */
export interface ChangeCall {
  readonly operation: Intent["operation"];
  readonly id: string;
  /** The state to enter; undefined if the operation does not name one. */
  readonly to: string | undefined;
  readonly options: TransitionOptions;
  /** Arguments of the script, without those that each attempt adds. */
  readonly words: readonly string[];
}

/** Checks the arguments of `create`. @throws ContractError with code BADARG if one is invalid */
export function createCall(
  id: string,
  fields: Readonly<Record<string, JsonValue>>,
  options: CreateOptions,
): ChangeCall {
  checkOptions(options, CREATE_OPTIONS);
  checkObject("fields", fields);
  return callOf("create", id, { ...options, set: fields });
}

/** Checks the arguments of `transition`. @throws ContractError with code BADARG if one is invalid */
export function transitionCall(id: string, to: string, options: TransitionOptions): ChangeCall {
  checkOptions(options, TRANSITION_OPTIONS);
  return callOf("transition", id, options, [checkName(STATE_NAME, to)]);
}

/** Checks the arguments of `patch`. @throws ContractError with code BADARG if one is invalid */
export function patchCall(id: string, options: PatchOptions): ChangeCall {
  checkOptions(options, PATCH_OPTIONS);
  const { set = {}, unset = [] } = options;
  if (isEmpty(set) && isEmpty(unset))
    refuse("patch changes nothing: give fields in `set` or names in `unset`");
  return callOf("patch", id, options);
}

/** Checks the arguments of `remove`. @throws ContractError with code BADARG if one is invalid */
export function removeCall(id: string, options: RemoveOptions): ChangeCall {
  checkOptions(options, REMOVE_OPTIONS);
  return callOf("remove", id, options);
}

/**
 * Checks the arguments of `restore`.
 *
 * @param readNow reads the server's time in ms; called if the options do not name the time of entry
 * @throws ContractError with code BADARG if an argument is invalid; the error of `readNow`
 */
export async function restoreCall(
  id: string,
  state: string,
  options: RestoreOptions,
  readNow: () => number | Promise<number>,
): Promise<ChangeCall> {
  checkOptions(options, RESTORE_OPTIONS);
  const { version, fields = {}, since, createdAt = since, ...others } = options;
  checkName(STATE_NAME, state);
  checkObject("fields", fields);
  checkWhole("version", version, 1, 9_999_999_999_999);
  checkDefined(options, ["createdAt", "since"]);
  const entered = since === undefined ? await readNow() : timeMs("since", since);
  const created = createdAt === undefined ? entered : timeMs("createdAt", createdAt);
  if (created > entered) refuse("createdAt is later than since");
  const positional = [state, version, created, entered].map(String);
  return callOf("restore", id, { ...others, set: fields }, positional);
}

/** Describes a call for the error of its rejection. */
export function rejectedCall(
  { id, to, options }: ChangeCall,
  definition: RejectedCall["definition"],
): RejectedCall {
  return { ...options, machine: definition.name, id, definition, ...(to !== undefined && { to }) };
}

/** @param positional arguments of the script after the id; the first is the state to enter */
function callOf(
  operation: Intent["operation"],
  id: string,
  options: TransitionOptions,
  positional: readonly string[] = [],
): ChangeCall {
  const isImport = operation === "restore"; // its `seen` is not about attempts
  if (options.seen !== undefined && options.op === undefined && !isImport)
    refuse("seen requires op: it is a position before the first attempt");
  const words = [checkId("id", id, 128), ...positional, ...optionWords(options)];
  return { operation, id, to: positional[0], options, words };
}

/** True for an object or list without entries. Any other value is rejected later, with its own message. */
function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}

function timeMs(name: string, time: string): number {
  const ms = typeof time === "string" && /^\d{4}-\d\d-\d\dT.*Z$/.test(time) ? Date.parse(time) : Number.NaN;
  if (ms >= 0) return ms;
  refuse(`${name} must be a time such as "2026-01-31T08:30:00.000Z", not ${shortText(time)}`);
}
