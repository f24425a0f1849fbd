import type { Duration } from "../machine/duration.js";
import { STATE_NAME } from "../machine/names.js";
import type { Store } from "./call.js";
import { checkId, checkName, checkOptions, timeoutMs, whole } from "./change-options.js";
import { readDocument, type Snapshot } from "./document.js";
import { ContractError, LatchkeyError, type RefusedError } from "./errors.js";
import { explainRefusal } from "./explain.js";
import { heartbeatCall } from "./heartbeat-call.js";
import { NoLeaseError } from "./no-lease-error.js";
import type { Refusal } from "./result.js";

/** Options of `heartbeat`: what must still be so for the lease to be renewed. */
export interface HeartbeatOptions {
  /** Only at this version. */
  readonly ifVersion?: number;
  /** Only in this state. */
  readonly ifState?: string;
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
      readonly outcome: Extract<Refusal, "ILLEGAL" | "CONFLICT" | "NOTFOUND" | "EXPIRED">;
      readonly current: Snapshot<S> | null;
      /** What `heartbeat` throws. */
      readonly error: RefusedError;
    };

const OPTIONS: ReadonlySet<string> = new Set<keyof HeartbeatOptions>([
  "ifVersion",
  "ifState",
  "notAfter",
  "timeout",
]);

/** Renews the lease of an entity's present state. */
export async function heartbeat<S extends string>(
  store: Store,
  id: string,
  options: HeartbeatOptions,
): Promise<HeartbeatResult<S>> {
  const { outcome, text } = await heartbeatCall(store, {
    id: checkId("id", id, 128),
    words: words(options),
    timeoutMs: timeoutMs(options, store.connection.timeoutMs),
    notAfter: options.notAfter,
  });
  const { machine } = store.place;
  const current = text === null ? null : readDocument<Snapshot<S>>(text);
  if (outcome === "OK" && current !== null) return { ok: true, outcome, document: current };
  if (outcome === "ILLEGAL" && current !== null) {
    return { ok: false, outcome, current, error: new NoLeaseError(machine, current) };
  }
  if (outcome !== "CONFLICT" && outcome !== "NOTFOUND" && outcome !== "EXPIRED") {
    throw new LatchkeyError("PROTOCOL", `outcome ${outcome} is not one this version of latchkey knows`);
  }
  const asked = { ...options, machine, id, definition: store.definition };
  return { ok: false, outcome, current, error: explainRefusal(asked, outcome, current) };
}

function words(options: HeartbeatOptions): string[] {
  checkOptions(options, OPTIONS);
  const { ifVersion, ifState, notAfter } = options;
  if (notAfter !== undefined) whole("notAfter", notAfter);
  for (const [name, guard] of Object.entries({ ifVersion, ifState })) {
    // What a misspelt property of an entity is. It would guard nothing.
    if (guard === undefined && Object.hasOwn(options, name)) {
      throw new ContractError("BADARG", `${name} is undefined; give it, or leave it out`);
    }
  }
  return [
    ...(ifVersion === undefined ? [] : ["IFVERSION", whole("ifVersion", ifVersion)]),
    ...(ifState === undefined ? [] : ["IFSTATE", checkName(STATE_NAME, ifState)]),
  ];
}
