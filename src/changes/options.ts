import { randomBytes } from "node:crypto";
import {
  checkDuration,
  checkFlag,
  checkId,
  checkList,
  checkName,
  checkObject,
  checkText,
  checkWhole,
  refuse,
} from "../contract/arguments.js";
import { checkDurability, type Durability, type DurabilityNeed } from "../contract/durability.js";
import type { Duration } from "../machine/duration.js";
import { findNonJson, type JsonValue } from "../machine/json-value.js";
import { FIELD_NAME, STATE_NAME } from "../machine/names.js";

/** What every change may carry. */
export interface ChangeOptions {
  /** Names this intended change, the same on every retry of it; at most 64 characters. Made up where not given. */
  readonly op?: string;
  /** Who changes it; at most 128 bytes. */
  readonly actor?: string;
  /** Why; at most 1024 bytes, without control characters. */
  readonly reason?: string;
  /**
   * How long the call may take, repeated attempts included.
   * @default what `connect` was told, else "5s"
   */
  readonly timeout?: Duration;
  /**
   * What to wait for after the change was made: nothing, the server's disk, or replicas.
   * @default what `connect` was told, else "memory"
   */
  readonly durability?: Durability;
  /** Server time in ms after which the server must refuse; see `serverTime()`. */
  readonly notAfter?: number;
  /**
   * Where another process may have tried this op before: the server time in ms before it did. The call then waits until
   * that attempt can't be executed any more, which is `timeout` later at most, and takes effect at most once. Take it
   * from `serverTime()`: one that is more than a day later than the server's clock shows is refused.
   */
  readonly sent?: number;
}

/** Options of `create`. */
export interface CreateOptions extends ChangeOptions {}

/** Options that tie a change to what the caller knows of the entity. */
export interface GuardOptions<S extends string = string> extends ChangeOptions {
  /** Only at this version. */
  readonly ifVersion?: number;
  /** Only from this state. */
  readonly ifState?: S;
}

/** Own fields to write and to take away. */
export interface FieldOptions {
  readonly set?: Readonly<Record<string, JsonValue>>;
  readonly unset?: readonly string[];
}

/** Options of `transition`. */
export interface TransitionOptions<S extends string = string> extends GuardOptions<S>, FieldOptions {
  /** Skips the table of transitions, not the checks. Needs a `reason`. */
  readonly force?: boolean;
}

/** Options of `patch`, which changes own fields only. */
export interface PatchOptions<S extends string = string> extends GuardOptions<S>, FieldOptions {}

/** Options of `remove`. */
export interface RemoveOptions<S extends string = string> extends GuardOptions<S> {}

type Names = ReadonlySet<string>;

/** The names of the options of each change. */
export const CREATE_OPTIONS: Names = new Set<keyof CreateOptions>([
  "op",
  "actor",
  "reason",
  "timeout",
  "durability",
  "notAfter",
  "sent",
]);
export const REMOVE_OPTIONS: Names = new Set([...CREATE_OPTIONS, "ifVersion", "ifState"]);
export const PATCH_OPTIONS: Names = new Set(["set", "unset", ...REMOVE_OPTIONS]);
export const TRANSITION_OPTIONS: Names = new Set([...PATCH_OPTIONS, "force"]);

const MAX_VALUE_BYTES = 65_536;

function json(field: string, value: JsonValue | undefined): string {
  if (value === undefined) refuse(`set.${field} is undefined; leave it out, or use unset`);
  const wrong = findNonJson(value, [field]);
  if (wrong !== undefined) refuse(`set.${wrong.keys.join(".")}: ${wrong.message}`);
  const encoded = JSON.stringify(value);
  if (Buffer.byteLength(encoded) > MAX_VALUE_BYTES)
    refuse(`set.${field} is longer than ${MAX_VALUE_BYTES} bytes of JSON`);
  return encoded;
}

/** A fresh op: 72 random bits, short enough to keep an entity's hash compact. */
export function newOp(): string {
  return randomBytes(9).toString("base64url");
}

/** How long a call may take, in ms. */
export function timeoutMs({ timeout }: ChangeOptions, defaultMs: number): number {
  return timeout === undefined ? defaultMs : checkDuration("timeout", timeout);
}

/** What a call waits for after the change was made. */
export function durabilityNeed({ durability }: ChangeOptions, usual: DurabilityNeed): DurabilityNeed {
  return durability === undefined ? usual : checkDurability(durability);
}

/** Refuses a guard that is undefined, which is what a misspelt property of an entity is. It would guard nothing. */
export function checkGuards(options: Pick<GuardOptions, "ifVersion" | "ifState">): void {
  for (const name of ["ifVersion", "ifState"] as const) {
    if (Object.hasOwn(options, name) && options[name] === undefined)
      refuse(`${name} is undefined; give it, or leave it out`);
  }
}

/**
 * The option words of a call, as the scripts take them, but NOTAFTER and SENT, which are every attempt's own.
 *
 * @throws ContractError with code BADARG where the server would refuse them.
 */
export function optionWords(options: TransitionOptions & { readonly op: string }): string[] {
  const { set = {}, unset = [] } = options;
  checkObject("set", set);
  checkList("unset", unset, " of field names");
  const words: string[] = [];
  for (const [field, value] of Object.entries(set)) {
    words.push("SET", checkName(FIELD_NAME, field), json(field, value));
  }
  for (const field of unset) {
    if (Object.hasOwn(set, field)) refuse(`"${field}" is in both set and unset; choose one`);
    words.push("UNSET", checkName(FIELD_NAME, field));
  }
  checkGuards(options);
  if (options.ifVersion !== undefined)
    words.push("IFVERSION", String(checkWhole("ifVersion", options.ifVersion)));
  if (options.ifState !== undefined) words.push("IFSTATE", checkName(STATE_NAME, options.ifState));
  words.push("OP", checkId("op", options.op, 64));
  if (options.actor !== undefined) words.push("ACTOR", checkText("actor", options.actor, 128));
  if (options.reason !== undefined) words.push("REASON", checkText("reason", options.reason, 1024));
  if (options.notAfter !== undefined) checkWhole("notAfter", options.notAfter);
  if (options.sent !== undefined) checkWhole("sent", options.sent);
  checkFlag("force", options.force);
  if (options.force === true) {
    if (options.reason === undefined) refuse("force needs a reason, which goes into the log");
    words.push("FORCE");
  }
  return words;
}
