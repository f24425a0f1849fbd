import { ClosedError } from "../errors/closed-error.js";
import { pauseBeforeRetry } from "./backoff.js";
import type { Connection } from "./connection.js";
import { Deadline, TimeUpError } from "./deadline.js";
import { isOffline, mayPass, replyCode, safeMessage } from "./failure.js";

/**
 * Retries a call until there is a reply, an error that a retry does not change, or no time left. Waits for a lost
 * connection. An attempt must be safe to repeat: a read, or a change with an idempotency key.
 *
 * @param what name of the call, for the log
 * @throws the error of an attempt, unchanged; TimeUpError if no reply arrived in time; ClosedError
 */
export async function retry<T>(
  connection: Connection,
  deadline: Deadline,
  what: string,
  attempt: () => Promise<T>,
): Promise<T> {
  let cause: unknown;
  for (let failed = 0; ; failed += 1) {
    try {
      if (!connection.isReady) await connection.untilReady(deadline);
      return await deadline.race(attempt());
    } catch (error) {
      if (!mayPass(error)) throw error;
      if (cause === undefined || !saysLess(error, cause)) cause = error;
      // A lost request costs one round trip: the first retry is sent at once. Without time left there is no pause, in which
      // an abandoned attempt could be answered.
      if (failed > 0 && !deadline.isOver) await pauseBeforeRetry(failed - 1, deadline);
      if (connection.isClosed) throw new ClosedError();
      if (deadline.isOver || connection.client.status === "end") throw cause;
      connection.logger.debug({ error: safeMessage(error), failed: failed + 1 }, `retrying ${what}`);
    }
  }
}

/**
 * Retries a read for as long as it is wanted, also beyond the timeout of a call.
 *
 * @throws the error of `retry` if a retry cannot help or the read is no longer wanted
 */
export async function retryWhile<T>(
  connection: Connection,
  isWanted: () => boolean,
  what: string,
  attempt: () => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await retry(connection, Deadline.in(connection.timeoutMs), what, attempt);
    } catch (error) {
      const isEnded = connection.isClosed || connection.client.status === "end";
      if (isEnded || !isWanted() || !mayPass(error)) throw error;
    }
  }
}

/** Returns whether the earlier error explains more: a timeout explains less, and so does a connection left after READONLY. */
function saysLess(error: unknown, before: unknown): boolean {
  return error instanceof TimeUpError || (isOffline(error) && replyCode(before) === "READONLY");
}
