import { setTimeout as pause } from "node:timers/promises";
import { type RedisOptions, Valkey } from "iovalkey";
import { ConnectError } from "../errors/connect-error.js";
import { backoffMs } from "./backoff.js";
import { logWarnings } from "./client-warnings.js";
import { connectError } from "./connect-error.js";
import { DEFAULT_SILENCE_MS } from "./connection-options.js";
import { Deadline } from "./deadline.js";
import { safeMessage } from "./failure.js";
import type { Logger } from "./logger.js";
import { hangUp } from "./open-clients.js";

const FIRST_RECONNECT_PAUSE_MS = 20;
const LONGEST_RECONNECT_PAUSE_MS = 2_000;
const LONGEST_BUSY_PAUSE_MS = 500;

/**
 * Connects, and reconnects for ever after. Waits for the end of a slow script that blocks the server.
 *
 * @throws ConnectError if the first connection fails
 */
export async function dial(
  settings: RedisOptions,
  address: string,
  limitMs: number,
  logger: Logger,
): Promise<Valkey> {
  const deadline = Deadline.in(limitMs);
  let busy: ConnectError | undefined;
  for (let failed = 0; ; failed += 1) {
    try {
      return await dialOnce(settings, address, deadline.remainingMs, logger);
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error;
      if (error.reason === "busy") busy = error;
      else if (error.reason !== "timeout" || busy === undefined) throw error;
      await pause(
        Math.min(backoffMs(failed, FIRST_RECONNECT_PAUSE_MS, LONGEST_BUSY_PAUSE_MS), deadline.remainingMs),
      );
      if (deadline.isOver) throw busy;
    }
  }
}

async function dialOnce(
  settings: RedisOptions,
  address: string,
  limitMs: number,
  logger: Logger,
): Promise<Valkey> {
  let wasReady = false;
  const pauseMs = (attempt: number): number | null =>
    wasReady ? backoffMs(attempt, FIRST_RECONNECT_PAUSE_MS, LONGEST_RECONNECT_PAUSE_MS) : null;
  let left: Valkey["stream"] | undefined;
  const client: Valkey = new Valkey({
    ...settings,
    retryStrategy: pauseMs,
    sentinelRetryStrategy: pauseMs,
    // A demoted primary keeps its connections, so leave it, once per connection. 1 = reconnect without resending.
    reconnectOnError: ({ message }) => {
      if (!message.startsWith("READONLY") || left === client.stream) return false;
      left = client.stream;
      return 1;
    },
  });
  logWarnings(client, logger, address);
  const errors = listen(client, logger, address);
  let timer: NodeJS.Timeout | undefined;
  // The client's own limit ends at TCP connect. A frozen server would never answer the first INFO.
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      // A server without TLS reads a TLS greeting as an unfinished command, and waits for the rest.
      const isGreeting =
        settings.tls !== undefined && client.status === "connecting" && client.stream.connecting === false;
      reject(new Error(isGreeting ? "TLS handshake timed out" : "connect timed out"));
    }, limitMs);
  });
  try {
    await Promise.race([client.connect(), limit]);
    // The client becomes ready despite a wrong password (as the default user) or an unknown database (in database 0).
    if (errors.length > 0) throw errors[0];
    wasReady = true;
    logLosses(client, logger, address);
    guardReadyCheck(client);
    return client;
  } catch (error) {
    hangUp(client);
    client.stream?.destroy(); // a frozen server keeps it open
    throw connectError(address, [...errors, error]);
  } finally {
    clearTimeout(timer);
  }
}

/** Logs the loss of a connection once, however many reconnections fail, and its return. */
function logLosses(client: Valkey, logger: Logger, address: string): void {
  const fields = { address, connection: client.options.connectionName };
  let isLost = false;
  client.on("reconnecting", () => {
    if (!isLost) logger.warn(fields, "connection lost, connecting again");
    isLost = true;
  });
  client.on("ready", () => {
    if (isLost) logger.info(fields, "connected again");
    isLost = false;
  });
}

/** Logs errors, which the client prints without a listener. Keeps the first few as the cause of a failed connection. */
function listen(client: Valkey, logger: Logger, address: string): unknown[] {
  const errors: unknown[] = [];
  client.on("error", (error: unknown) => {
    if (errors.length < 5) errors.push(error);
    logger.warn({ address, error: safeMessage(error) }, "connection error");
  });
  return errors;
}

/**
 * Limits the time of a reconnection. The client's own limit ends when TCP is connected, which the kernel does for a frozen
 * server too. The client's first command would then wait for ever.
 */
function guardReadyCheck(client: Valkey): void {
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => clearTimeout(timer);
  client.on("connect", () => {
    stop();
    const { stream } = client;
    timer = setTimeout(() => stream.destroy(), client.options.socketTimeout ?? DEFAULT_SILENCE_MS);
  });
  client.on("ready", stop).on("close", stop).on("end", stop);
}
