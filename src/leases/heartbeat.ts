import { explainRejection } from "../changes/explain-rejection.js";
import { checkDefined, timeoutMs } from "../changes/options.js";
import type { Rejection } from "../changes/result.js";
import { checkId, checkName, checkOptions, checkWhole } from "../contract/arguments.js";
import { readDocument, type Snapshot } from "../contract/document.js";
import { type Reply, readReply, unknownOutcome } from "../contract/reply.js";
import { LatchkeyError } from "../errors/latchkey-error.js";
import { NoLeaseError } from "../errors/no-lease-error.js";
import type { RejectedError } from "../errors/rejected-errors.js";
import { scripts } from "../lua/index.js";
import type { Duration } from "../machine/duration.js";
import { STATE_NAME } from "../machine/names.js";
import { hint, notMade } from "../valkey/ask.js";
import { Deadline, TimeUpError } from "../valkey/deadline.js";
import { classifyFailure, LateError } from "../valkey/failure.js";
import { entityKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { retry } from "../valkey/retry.js";
import { runScript } from "../valkey/script.js";

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
export type HeartbeatResult<S extends string = string> =
  | { readonly ok: true; readonly outcome: "OK"; readonly document: Snapshot<S> }
  | {
      readonly ok: false;
      readonly outcome: Extract<Rejection, "ILLEGAL" | "CONFLICT" | "NOTFOUND" | "EXPIRED">;
      /** The entity as it is now; null if it does not exist. */
      readonly current: Snapshot<S> | null;
      /** The error that `heartbeat` throws. */
      readonly error: RejectedError;
    };

const OPTIONS: readonly (keyof HeartbeatOptions)[] = ["ifVersion", "ifState", "notAfter", "timeout"];

/** Renews the lease of an entity's current state. */
export async function heartbeat<S extends string>(
  store: MachineStore,
  id: string,
  options: HeartbeatOptions,
): Promise<HeartbeatResult<S>> {
  const words = [checkId("id", id, 128), ...guardWords(options)];
  const limitMs = timeoutMs(options, store.connection.timeoutMs);
  const { outcome, text } = await sendRenewal(store, words, limitMs, options.notAfter);
  const { machine } = store.location;
  const current = text === null ? null : readDocument<Snapshot<S>>(text);
  if (outcome === "OK" && current !== null) return { ok: true, outcome, document: current };
  if (outcome === "ILLEGAL" && current !== null) {
    return { ok: false, outcome, current, error: new NoLeaseError(machine, current) };
  }
  if (outcome !== "CONFLICT" && outcome !== "NOTFOUND" && outcome !== "EXPIRED")
    throw unknownOutcome(outcome);
  const call = { ...options, machine, id, definition: store.definition };
  return { ok: false, outcome, current, error: explainRejection(call, outcome, current) };
}

function guardWords(options: HeartbeatOptions): string[] {
  checkOptions(options, OPTIONS);
  checkDefined(options, ["ifVersion", "ifState"]);
  const { ifVersion, ifState, notAfter } = options;
  if (notAfter !== undefined) checkWhole("notAfter", notAfter);
  return [
    ...(ifVersion === undefined ? [] : ["IFVERSION", String(checkWhole("ifVersion", ifVersion))]),
    ...(ifState === undefined ? [] : ["IFSTATE", checkName(STATE_NAME, ifState)]),
  ];
}

/**
 * Sends a heartbeat until the server replies: repeating one is harmless. Each attempt carries a NOTAFTER, so that none
 * is executed after the caller got an error.
 *
 * @param words the script's arguments without NOTAFTER; the first is the id
 * @param limitMs time limit in ms, retries included
 * @param notAfter the caller's own limit, in server time
 * @throws NotExecutedError if no attempt was executed; LatchkeyError with code UNKNOWN if the reply to an attempt was
 * lost, so that the lease may be renewed; ContractError or LayoutError if a retry cannot help
 */
async function sendRenewal(
  { connection, location }: MachineStore,
  words: readonly string[],
  limitMs: number,
  notAfter = Number.POSITIVE_INFINITY,
): Promise<Reply> {
  const [id = ""] = words;
  const name = `heartbeat ${location.machine} ${id}`;
  const deadline = Deadline.in(limitMs);
  /** True while an attempt may have been executed whose reply was lost. */
  let isOpen = false;

  async function attempt(): Promise<Reply> {
    const clock = await connection.clock.know();
    if (deadline.isOver) throw new TimeUpError(); // the caller has its error by now
    const limit = Math.max(0, Math.min(notAfter, clock.earliest(deadline.endsAt)));
    const wasOpen = isOpen;
    isOpen = true;
    let reply: unknown;
    try {
      const args = [...words, "NOTAFTER", String(limit)];
      reply = await runScript(connection.client, scripts.heartbeat, entityKeys(location, id), args);
    } catch (error) {
      if (classifyFailure(error) !== "unknown") isOpen = wasOpen;
      throw error;
    }
    isOpen = wasOpen;
    const answer = readReply(reply);
    if (answer.outcome !== "EXPIRED") return answer;
    if (limit < notAfter) {
      // Not the caller's limit: the server was slow, or its clock was set.
      if (!deadline.isOver) connection.clock.forget();
      throw new LateError();
    }
    // EXPIRED does not prove that the lost attempt was not executed. All other rejections show the current state.
    if (wasOpen) throw unknownRenewal(name, "notAfter has passed");
    return answer;
  }

  try {
    return await retry(connection, deadline, name, attempt);
  } catch (error) {
    const isReply = error instanceof LatchkeyError || classifyFailure(error) === "refused";
    if (isReply || !isOpen) throw notMade(error, name, connection.address);
    throw unknownRenewal(name, hint(error, connection.address));
  }
}

function unknownRenewal(name: string, why: string): LatchkeyError {
  const message = `${name}: the reply was lost, and the lease may be renewed: ${why}; send it again`;
  return new LatchkeyError("UNKNOWN", message);
}
