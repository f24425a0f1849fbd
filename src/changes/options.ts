import { randomBytes } from "node:crypto";
import {
  checkDuration,
  checkFlag,
  checkId,
  checkList,
  checkName,
  checkPosition,
  checkTypes,
  checkWhole,
  refuse,
} from "../contract/arguments.js";
import { checkDurability, type Durability, type DurabilityNeed } from "../contract/durability.js";
import type { FieldInput, Fields } from "../contract/own-fields.js";
import { storableText } from "../contract/storable-text.js";
import type { Duration } from "../machine/duration.js";
import { FIELD_NAME, STATE_NAME } from "../machine/names.js";

/** Options of every change. */
export interface ChangeOptions {
  /** Idempotency key, at most 64 characters; the same for all retries of this change. Generated if omitted. */
  readonly op?: string;
  /** Name of the process or user that makes the change. Stored as one line of at most 128 bytes. */
  readonly actor?: string;
  /** Reason for the change. Stored as one line of at most 1024 bytes: without colours, and cut if it is longer. */
  readonly reason?: string;
  /**
   * Time limit of the call, retries included.
   * @default the `timeout` of `connect`, else "5s"
   */
  readonly timeout?: Duration;
  /**
   * Acknowledgements to wait for after the change: none, the server's disk, or replicas.
   * @default the `durability` of `connect`, else "memory"
   */
  readonly durability?: Durability;
  /** Server time in ms after which the server rejects the change; see `serverTime()`. */
  readonly notAfter?: number;
  /**
   * Position of the event log before the first attempt, if another process may have sent one with the same `op`. Take it
   * from `position()` or the OutcomeUnknownError. The change is applied at most once. Give the `notAfter` of that attempt
   * too if it may still be on its way: a rejection is then returned when it has passed.
   */
  readonly seen?: string;
  /** Returns the change that the call would make, and writes nothing. @default false */
  readonly dryRun?: boolean;
}

/** Options of `create`. */
export interface CreateOptions extends ChangeOptions {}

/** Options of `restore`. */
export interface RestoreOptions<F extends object = Fields> extends ChangeOptions {
  /** Version of the restored entity, 1 or more. */
  readonly version: number;
  /** Own fields, stamps included. */
  readonly fields?: FieldInput<F>;
  /** Time of creation, as in a snapshot. @default `since` */
  readonly createdAt?: string;
  /** Time at which the state was entered. Timeout and retention count from it, a lease from now. @default now */
  readonly since?: string;
  /** Position of the event log that the entity was exported from, after its last change. */
  readonly seen?: string;
}

/** Conditions that the entity must meet for a change. */
export interface GuardOptions<S extends string = string> extends ChangeOptions {
  /** Expected version of the entity. */
  readonly ifVersion?: number;
  /** Expected state of the entity. */
  readonly ifState?: S;
}

/** Changes of own fields. */
export interface FieldOptions<F extends object = Fields> {
  /** Own fields to write, with their values. */
  readonly set?: FieldInput<F>;
  /** Names of own fields to remove. */
  readonly unset?: readonly (keyof F & string)[];
}

/** Options of `transition`. */
export interface TransitionOptions<S extends string = string, F extends object = Fields>
  extends GuardOptions<S>,
    FieldOptions<F> {
  /** Allows any transition, and stamps in `unset`. All other checks remain. Requires a `reason`. */
  readonly force?: boolean;
}

/** Options of `patch`, which changes own fields only. */
export interface PatchOptions<S extends string = string, F extends object = Fields>
  extends GuardOptions<S>,
    FieldOptions<F> {}

/** Options of `remove`. */
export interface RemoveOptions<S extends string = string> extends GuardOptions<S> {}

/** Option names of each operation. */
export const CREATE_OPTIONS: readonly (keyof CreateOptions)[] = [
  "op",
  "actor",
  "reason",
  "timeout",
  "durability",
  "notAfter",
  "seen",
  "dryRun",
];
export const RESTORE_OPTIONS: readonly (keyof RestoreOptions)[] = [
  ...CREATE_OPTIONS,
  ...(["version", "fields", "createdAt", "since"] as const),
];
export const REMOVE_OPTIONS: readonly (keyof RemoveOptions)[] = [...CREATE_OPTIONS, "ifVersion", "ifState"];
export const PATCH_OPTIONS: readonly (keyof PatchOptions)[] = ["set", "unset", ...REMOVE_OPTIONS];
export const TRANSITION_OPTIONS: readonly (keyof TransitionOptions)[] = [...PATCH_OPTIONS, "force"];

const OP_LENGTH = 12;
const OP_BYTES = (OP_LENGTH * 6) / 8;
let random = "";
/** Number of random characters that were used. */
let used = 0;

/** Generates an idempotency key: 72 random bits, short enough to keep an entity's hash compact. */
export function newOp(): string {
  // Random bytes are cheap only in bulk.
  if (used === random.length) {
    random = randomBytes(512 * OP_BYTES).toString("base64url");
    used = 0;
  }
  used += OP_LENGTH;
  return random.slice(used - OP_LENGTH, used);
}

/** Returns the time limit of a call in ms. */
export function timeoutMs({ timeout }: ChangeOptions, defaultMs: number): number {
  return timeout === undefined ? defaultMs : checkDuration("timeout", timeout);
}

/** Returns the acknowledgements that a call waits for. */
export function durabilityNeed({ durability }: ChangeOptions, usual: DurabilityNeed): DurabilityNeed {
  return durability === undefined ? usual : checkDurability(durability);
}

/** Rejects options that are present but undefined, such as `ifVersion: agent.versoin`: they would guard nothing. */
export function checkDefined<T extends object>(options: T, names: readonly (keyof T & string)[]): void {
  for (const name of names) {
    if (Object.hasOwn(options, name) && options[name] === undefined)
      refuse(`${name} is undefined; give a value or omit it`);
  }
}

/**
 * Encodes the options of a call as arguments of a script, without those that each attempt adds.
 *
 * @param fields JSON of the fields to write
 * @param actor the actor of the call, or the default one
 * @throws ContractError with code BADARG if an option is invalid
 */
export function optionWords(
  options: TransitionOptions,
  fields: ReadonlyMap<string, string>,
  actor = "",
): string[] {
  const { unset = [], reason = "" } = options;
  checkList("unset", unset, " of field names");
  const words: string[] = [];
  for (const [field, json] of fields) words.push("SET", field, json);
  for (const field of unset) {
    if (fields.has(field)) refuse(`"${field}" is in both set and unset; choose one`);
    words.push("UNSET", checkName(FIELD_NAME, field));
  }
  checkDefined(options, ["ifVersion", "ifState"]);
  if (options.ifVersion !== undefined)
    words.push("IFVERSION", String(checkWhole("ifVersion", options.ifVersion)));
  if (options.ifState !== undefined) words.push("IFSTATE", checkName(STATE_NAME, options.ifState));
  if (options.op !== undefined) checkId("op", options.op, 64);
  checkTypes("string", { actor, reason });
  const [storedActor, storedReason] = [storableText(actor, 128), storableText(reason, 1024)];
  if (storedActor !== "") words.push("ACTOR", storedActor);
  if (storedReason !== "") words.push("REASON", storedReason);
  if (options.notAfter !== undefined) checkWhole("notAfter", options.notAfter);
  if (options.seen !== undefined) checkPosition("seen", options.seen);
  checkFlag("dryRun", options.dryRun);
  if (options.dryRun === true) words.push("DRYRUN");
  checkFlag("force", options.force);
  if (options.force === true) {
    if (storedReason === "") refuse("force requires a reason, which is stored in the history");
    words.push("FORCE");
  }
  return words;
}
