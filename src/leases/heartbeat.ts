import { explainRejection } from "../changes/explain-rejection.js";
import { checkGuards, timeoutMs } from "../changes/options.js";
import type { Rejection } from "../changes/result.js";
import { checkId, checkName, checkOptions, checkWhole } from "../contract/arguments.js";
import { readDocument, type Snapshot } from "../contract/document.js";
import { LatchkeyError } from "../errors/latchkey-error.js";
import { NoLeaseError } from "../errors/no-lease-error.js";
import type { RejectedError } from "../errors/rejected-errors.js";
import type { Duration } from "../machine/duration.js";
import { STATE_NAME } from "../machine/names.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { heartbeatCall } from "./heartbeat-attempts.js";

/** Options of `heartbeat`: what must still be so for the lease to be renewed. */
export interface HeartbeatOptions<S extends string = string> {
  /** Only at this version. */
  readonly ifVersion?: number;
  /** Only in this state. */
  readonly ifState?: S;
  /** Server time in ms after which the server must refuse; see `serverTime()`. */
  readonly notAfter?: number;
  /**
   * How long the call may take, repeated attempts included.
   * @default what `connect` was told, else "5s"
   */
  readonly timeout?: Duration;
}

/** What `tryHeartbeat` returns: renewed, or refused with the entity as it is now. */
export type HeartbeatResult<S extends string = string> =
  | { readonly ok: true; readonly outcome: "OK"; readonly document: Snapshot<S> }
  | {
      readonly ok: false;
      readonly outcome: Extract<Rejection, "ILLEGAL" | "CONFLICT" | "NOTFOUND" | "EXPIRED">;
      readonly current: Snapshot<S> | null;
      /** What `heartbeat` throws. */
      readonly error: RejectedError;
    };

const OPTIONS: ReadonlySet<string> = new Set<keyof HeartbeatOptions>([
  "ifVersion",
  "ifState",
  "notAfter",
  "timeout",
]);

/** Renews the lease of an entity's present state. */
export async function heartbeat<S extends string>(
  store: MachineStore,
  id: string,
  options: HeartbeatOptions,
): Promise<HeartbeatResult<S>> {
  const { outcome, text } = await heartbeatCall(store, {
    id: checkId("id", id, 128),
    words: words(options),
    timeoutMs: timeoutMs(options, store.connection.timeoutMs),
    notAfter: options.notAfter,
  });
  const { machine } = store.location;
  const current = text === null ? null : readDocument<Snapshot<S>>(text);
  if (outcome === "OK" && current !== null) return { ok: true, outcome, document: current };
  if (outcome === "ILLEGAL" && current !== null) {
    return { ok: false, outcome, current, error: new NoLeaseError(machine, current) };
  }
  if (outcome !== "CONFLICT" && outcome !== "NOTFOUND" && outcome !== "EXPIRED") {
    throw new LatchkeyError("PROTOCOL", `outcome ${outcome} is not one this version of latchkey knows`);
  }
  const asked = { ...options, machine, id, definition: store.definition };
  return { ok: false, outcome, current, error: explainRejection(asked, outcome, current) };
}

function words(options: HeartbeatOptions): string[] {
  checkOptions(options, OPTIONS);
  checkGuards(options);
  const { ifVersion, ifState, notAfter } = options;
  if (notAfter !== undefined) checkWhole("notAfter", notAfter);
  return [
    ...(ifVersion === undefined ? [] : ["IFVERSION", String(checkWhole("ifVersion", ifVersion))]),
    ...(ifState === undefined ? [] : ["IFSTATE", checkName(STATE_NAME, ifState)]),
  ];
}
