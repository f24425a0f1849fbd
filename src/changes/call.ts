import { checkId, checkName, checkOptions, checkWhole, refuse, shortText } from "../contract/arguments.js";
import { STATE_NAME } from "../machine/names.js";
import type { RejectedCall } from "./explain-rejection.js";
import { encodeFields } from "./field-json.js";
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

/** Reads who makes a change, if the call does not say it. Called before anything is awaited: the async context counts. */
export type ReadActor = () => string | undefined;

const NOBODY: ReadActor = () => undefined;

/** One change as the caller asks for it: checked, and encoded for the scripts. */
export interface ChangeCall {
  readonly operation: Intent["operation"];
  readonly id: string;
  /** The state to enter; undefined if the operation does not name one. */
  readonly to: string | undefined;
  readonly options: TransitionOptions;
  /** JSON of each field that is written. */
  readonly fields: ReadonlyMap<string, string>;
  /** Arguments of the script, without those that each attempt adds. */
  readonly words: readonly string[];
}

/**
 * Checks the arguments of `create`.
 *
 * @throws ContractError with code BADARG if an argument is invalid
 */
export function createCall(
  id: string,
  fields: object,
  options: CreateOptions,
  readActor = NOBODY,
): ChangeCall {
  checkOptions(options, CREATE_OPTIONS);
  return callOf("create", id, { ...options, set: fields }, readActor);
}

/** Checks the arguments of `transition`. @throws ContractError with code BADARG if one is invalid */
export function transitionCall(
  id: string,
  to: string,
  options: TransitionOptions,
  readActor = NOBODY,
): ChangeCall {
  checkOptions(options, TRANSITION_OPTIONS);
  return callOf("transition", id, options, readActor, [checkName(STATE_NAME, to)]);
}

/** Checks the arguments of `patch`. @throws ContractError with code BADARG if one is invalid */
export function patchCall(id: string, options: PatchOptions, readActor = NOBODY): ChangeCall {
  checkOptions(options, PATCH_OPTIONS);
  const call = callOf("patch", id, options, readActor);
  if (call.fields.size + (options.unset ?? []).length === 0)
    refuse("patch changes nothing: give fields in `set` or names in `unset`");
  return call;
}

/** Checks the arguments of `remove`. @throws ContractError with code BADARG if one is invalid */
export function removeCall(id: string, options: RemoveOptions, readActor = NOBODY): ChangeCall {
  checkOptions(options, REMOVE_OPTIONS);
  return callOf("remove", id, options, readActor);
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
  readActor = NOBODY,
): Promise<ChangeCall> {
  checkOptions(options, RESTORE_OPTIONS);
  const { version, fields = {}, since, createdAt = since, ...others } = options;
  const actor = others.actor ?? readActor();
  checkName(STATE_NAME, state);
  checkWhole("version", version, 1, 9_999_999_999_999);
  checkDefined(options, ["createdAt", "since"]);
  const entered = since === undefined ? await readNow() : timeMs("since", since);
  const created = createdAt === undefined ? entered : timeMs("createdAt", createdAt);
  if (created > entered) refuse("createdAt is later than since");
  const positional = [state, version, created, entered].map(String);
  return callOf("restore", id, { ...others, set: fields }, () => actor, positional);
}

/** Describes a call for the error of its rejection. */
export function rejectedCall(
  { id, to, options, fields }: ChangeCall,
  definition: RejectedCall["definition"],
): RejectedCall {
  const set = Object.fromEntries(fields);
  return { ...options, set, machine: definition.name, id, definition, ...(to !== undefined && { to }) };
}

/** @param positional arguments of the script after the id; the first is the state to enter */
function callOf(
  operation: Intent["operation"],
  id: string,
  options: TransitionOptions,
  readActor: ReadActor,
  positional: readonly string[] = [],
): ChangeCall {
  const isImport = operation === "restore"; // its `seen` is not about attempts
  if (options.seen !== undefined && options.op === undefined && !isImport)
    refuse("seen requires op: it is a position before the first attempt");
  const start = [checkId("id", id, 128), ...positional];
  const { set = {}, actor = readActor() } = options;
  const fields = encodeFields(operation === "create" || isImport ? "fields" : "set", set);
  const words = [...start, ...optionWords(options, fields, actor)];
  return { operation, id, to: positional[0], options, fields, words };
}

function timeMs(name: string, time: string): number {
  const ms = typeof time === "string" && /^\d{4}-\d\d-\d\dT.*Z$/.test(time) ? Date.parse(time) : Number.NaN;
  if (ms >= 0) return ms;
  refuse(`${name} must be a time such as "2026-01-31T08:30:00.000Z", not ${shortText(time)}`);
}
