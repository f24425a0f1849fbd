import { setTimeout as pause } from "node:timers/promises";
import { backoffMs } from "./backoff.js";
import type { Connection } from "./connection.js";
import { Deadline, TimeUpError } from "./deadline.js";
import { isOffline, mayPass, replyCode, safeMessage } from "./failure.js";

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;

/**
 * The one loop in which latchkey tries again: until there is an answer, an error that trying again would not change,
 * or no time left. Waits for a lost connection to be back. An attempt must be safe to repeat: a read, or a change that
 * carries its op.
 *
 * @param what the call, for the log
 * @throws an attempt's error, untouched; TimeUpError where none was answered in time.
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
      await connection.untilReady(deadline);
      return await deadline.race(attempt());
    } catch (error) {
      if (!mayPass(error)) throw error;
      if (cause === undefined || !saysLess(error, cause)) cause = error;
      await pause(Math.min(backoffMs(failed, FIRST_PAUSE_MS, LONGEST_PAUSE_MS), deadline.remainingMs));
      if (deadline.isOver || connection.isClosed || connection.client.status === "end") throw cause;
      connection.logger.debug({ error: safeMessage(error), failed: failed + 1 }, `${what} is tried again`);
    }
  }
}

/**
 * The same for a read that somebody waits for with a time limit of their own: for as long as it is wanted, a call's
 * time after the other.
 *
 * @throws what `retry` throws, where trying again would not change it or nobody wants to know any more.
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

/** A time-out says less than the error before it. So does a missing connection that was closed because of READONLY. */
function saysLess(error: unknown, before: unknown): boolean {
  return error instanceof TimeUpError || (isOffline(error) && replyCode(before) === "READONLY");
}
