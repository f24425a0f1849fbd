import { explainRejection } from "../changes/explain-rejection.js";
import { checkDefined, timeoutMs } from "../changes/options.js";
import type { Rejection } from "../changes/result.js";
import { checkId, checkName, checkOptions, checkWhole } from "../contract/arguments.js";
import { readDocument, type Snapshot } from "../contract/document.js";
import type { Fields } from "../contract/own-fields.js";
import { type Reply, unknownOutcome } from "../contract/reply.js";
import { NoLeaseError } from "../errors/no-lease-error.js";
import type { RejectedError } from "../errors/rejected-errors.js";
import { scripts } from "../lua/index.js";
import type { CompiledMachine } from "../machine/compiled.js";
import type { Duration } from "../machine/duration.js";
import { STATE_NAME } from "../machine/names.js";
import { entityKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { callUntilAnswered } from "../valkey/script-call.js";

/** Options of `heartbeat`: conditions for the renewal, and its time limits. */
export interface HeartbeatOptions<S extends string = string> {
  /** Expected version of the entity. */
  readonly ifVersion?: number;
  /** Expected state of the entity. */
  readonly ifState?: S;
  /** Server time in ms after which the server rejects the renewal; see `serverTime()`. */
  readonly notAfter?: number;
  /**
   * Time limit of the call, retries included.
   * @default the `timeout` of `connect`, else "5s"
   */
  readonly timeout?: Duration;
}

/** Result of `tryHeartbeat`: the lease was renewed, or the renewal was rejected. */
export type HeartbeatResult<S extends string = string, F extends object = Fields> =
  | { readonly ok: true; readonly outcome: "OK"; readonly document: Snapshot<S, F> }
  | {
      readonly ok: false;
      readonly outcome: Extract<Rejection, "ILLEGAL" | "CONFLICT" | "NOTFOUND" | "EXPIRED">;
      /** The entity as it is now; null if it does not exist. */
      readonly current: Snapshot<S, F> | null;
      /** The error that `heartbeat` throws. */
      readonly error: RejectedError;
    };

const OPTIONS: readonly (keyof HeartbeatOptions)[] = ["ifVersion", "ifState", "notAfter", "timeout"];

/** Renews the lease of an entity's current state. */
export async function heartbeat<S extends string, F extends object = Fields>(
  store: MachineStore,
  id: string,
  options: HeartbeatOptions,
): Promise<HeartbeatResult<S, F>> {
  const words = [checkId("id", id, 128), ...guardWords(options)];
  const limitMs = timeoutMs(options, store.connection.timeoutMs);
  const { connection, location } = store;
  const reply = await callUntilAnswered(connection, {
    name: `heartbeat ${location.machine} ${id}`,
    script: scripts.heartbeat,
    keys: entityKeys(location, id),
    words,
    timeoutMs: limitMs,
    notAfter: options.notAfter,
    effect: "the lease may be renewed",
    recover: store.recover,
  });
  return readHeartbeat<S, F>(reply, store.definition, id, options);
}

/** Reads the reply to a heartbeat. */
export function readHeartbeat<S extends string, F extends object>(
  { outcome, text }: Reply,
  definition: CompiledMachine,
  id: string,
  options: HeartbeatOptions,
): HeartbeatResult<S, F> {
  const { name: machine } = definition;
  const read = text === null ? null : readDocument<Snapshot>(text);
  const current = read as Snapshot<S, F> | null;
  if (outcome === "OK" && current !== null) return { ok: true, outcome, document: current };
  if (outcome === "ILLEGAL" && read !== null) {
    return { ok: false, outcome, current, error: new NoLeaseError(machine, read) };
  }
  if (outcome !== "CONFLICT" && outcome !== "NOTFOUND" && outcome !== "EXPIRED")
    throw unknownOutcome(outcome);
  const call = { ...options, machine, id, definition };
  return { ok: false, outcome, current, error: explainRejection(call, outcome, read) };
}

/** Encodes the conditions of a heartbeat. @throws ContractError if an option is unknown or invalid */
export function guardWords(options: HeartbeatOptions): string[] {
  checkOptions(options, OPTIONS);
  checkDefined(options, ["ifVersion", "ifState"]);
  const { ifVersion, ifState, notAfter } = options;
  if (notAfter !== undefined) checkWhole("notAfter", notAfter);
  return [
    ...(ifVersion === undefined ? [] : ["IFVERSION", String(checkWhole("ifVersion", ifVersion))]),
    ...(ifState === undefined ? [] : ["IFSTATE", checkName(STATE_NAME, ifState)]),
  ];
}
