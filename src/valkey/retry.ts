import type { Valkey } from "iovalkey";
import { ClosedError } from "../errors/closed-error.js";
import { pauseBeforeRetry } from "./backoff.js";
import type { Connection, Server } from "./connection.js";
import { Deadline, TimeUpError } from "./deadline.js";
import { isOffline, mayPass, replyCode, safeMessage } from "./failure.js";

/**
 * Retries a call until there is a reply, an error that a retry does not change, or no time left. Waits for a lost
 * connection. An attempt must be safe to repeat: a read, or a change with an idempotency key.
 *
 * @param what name of the call, for the log
 * @param attempt gets the server to use and its client. After a reply ASK, that is the server which receives the slot
 * @throws the error of an attempt, unchanged; TimeUpError if no reply arrived in time; ClosedError
 */
export async function retry<T>(
  connection: Connection,
  deadline: Deadline,
  what: string,
  attempt: (client: Valkey, server: Server) => Promise<T>,
): Promise<T> {
  let cause: unknown;
  let receiver: Server | undefined;
  for (let failed = 0; ; failed += 1) {
    let client: Valkey | undefined;
    try {
      if (!connection.isReady) await connection.untilReady(deadline);
      const server = receiver ?? connection.server;
      client = server.client;
      return await deadline.race(attempt(client, server));
    } catch (error) {
      // After ASK the next attempt goes to the server that receives the slot, at once.
      const next = receiver === undefined && client !== undefined && connection.receiver(error, client);
      receiver = next ? await deadline.race(next).catch(() => undefined) : undefined;
      if (receiver !== undefined) continue;
      if (!mayPass(error) || isElsewhere(connection, error)) throw error;
      if (cause === undefined || !saysLess(error, cause)) cause = error;
      // A lost request costs one round trip: the first retry is sent at once. Without time left there is no pause, in which
      // an abandoned attempt could be answered.
      if (failed > 0 && !deadline.isOver) await pauseBeforeRetry(failed - 1, deadline);
      if (connection.isClosed) throw new ClosedError();
      if (deadline.isOver || connection.isEnded) throw cause;
      connection.logger.debug({ error: safeMessage(error), failed: failed + 1 }, `retrying ${what}`);
    }
  }
}

/**
 * Asks a server once. If it answers ASK, because the slot of the key is moving, asks the server that receives the slot.
 *
 * @param question safe to repeat
 */
export async function askFollowing<T>(
  connection: Connection,
  client: Valkey,
  question: (client: Valkey) => Promise<T>,
): Promise<T> {
  try {
    return await question(client);
  } catch (error) {
    const receiver = await connection.receiver(error, client);
    if (receiver === undefined) throw error;
    return question(receiver.client);
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
  attempt: (client: Valkey) => Promise<T>,
): Promise<T> {
  for (;;) {
    try {
      return await retry(connection, Deadline.in(connection.timeoutMs), what, attempt);
    } catch (error) {
      const isEnded = connection.isClosed || connection.isEnded;
      if (isEnded || !isWanted() || !mayPass(error)) throw error;
    }
  }
}

/** Returns whether another node of a cluster holds the key, to which this connection knows no way. */
function isElsewhere({ isCluster }: Connection, error: unknown): boolean {
  return !isCluster && replyCode(error) === "MOVED";
}

/** Returns whether the earlier error explains more: a timeout explains less, and so does a connection left after READONLY. */
function saysLess(error: unknown, before: unknown): boolean {
  return error instanceof TimeUpError || (isOffline(error) && replyCode(before) === "READONLY");
}
