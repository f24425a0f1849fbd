import { readReply } from "../changes/result.js";
import { LatchkeyError } from "../errors/latchkey-error.js";
import { scripts } from "../lua/index.js";
import { hint, notMade } from "../valkey/ask.js";
import { Deadline, TimeUpError } from "../valkey/deadline.js";
import { classifyFailure, LateError } from "../valkey/failure.js";
import { entityKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { retry } from "../valkey/retry.js";
import { runScript } from "../valkey/script.js";

/** A heartbeat that is to be sent. */
export interface Beat {
  readonly id: string;
  /** The script's arguments behind the id, without NOTAFTER. */
  readonly words: readonly string[];
  /** How long it may take, repeated attempts included. */
  readonly timeoutMs: number;
  /** The caller's own limit, in server time. */
  readonly notAfter?: number | undefined;
}

/**
 * Sends a heartbeat until it is answered: one that is sent twice does no harm. Each attempt carries a NOTAFTER, so that
 * none is executed after the caller was told that there was no answer.
 *
 * @throws NotExecutedError where no attempt was executed, nor will be; LatchkeyError with code UNKNOWN where the lease may
 * have been renewed by one whose answer was lost; ContractError or LayoutError where asking again is no use.
 */
export async function heartbeatCall(
  { connection, location }: MachineStore,
  { id, words, timeoutMs, notAfter: limit = Number.POSITIVE_INFINITY }: Beat,
): Promise<{ outcome: string; text: string | null }> {
  const name = `heartbeat ${location.machine} ${id}`;
  const deadline = Deadline.in(timeoutMs);
  /** Whether an attempt was sent that may have been executed, and was not answered. */
  let isOpen = false;

  async function attempt(): Promise<{ outcome: string; text: string | null }> {
    const clock = await connection.clock.know();
    if (deadline.isOver) throw new TimeUpError(); // the caller has been answered meanwhile
    const notAfter = Math.max(0, Math.min(limit, clock.earliest(deadline.endsAt)));
    const wasOpen = isOpen;
    isOpen = true;
    let reply: unknown;
    try {
      const args = [id, ...words, "NOTAFTER", String(notAfter)];
      reply = await runScript(connection.client, scripts.heartbeat, entityKeys(location, id), args);
    } catch (error) {
      if (classifyFailure(error) !== "unknown") isOpen = wasOpen;
      throw error;
    }
    isOpen = wasOpen;
    const answer = readReply(reply);
    if (answer.outcome !== "EXPIRED") return answer;
    if (notAfter < limit) {
      // Not the caller's own limit: the server was slow, or its clock is not where it was.
      if (!deadline.isOver) connection.clock.forget();
      throw new LateError();
    }
    // It would hide what the lost one may have done. Any other refusal tells how things are now.
    if (wasOpen) throw unknown(name, "notAfter has passed");
    return answer;
  }

  try {
    return await retry(connection, deadline, name, attempt);
  } catch (error) {
    const isTold = error instanceof LatchkeyError || classifyFailure(error) === "refused";
    if (isTold || !isOpen) throw notMade(error, name, connection.address);
    throw unknown(name, hint(error, connection.address));
  }
}

function unknown(name: string, why: string): LatchkeyError {
  const message = `${name}: the answer was lost, and the lease may be renewed: ${why}; send it again`;
  return new LatchkeyError("UNKNOWN", message);
}
