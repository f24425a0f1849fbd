import { setTimeout as pause } from "node:timers/promises";
import { type RedisOptions, Valkey } from "iovalkey";
import { ConnectError } from "../errors/connect-error.js";
import { backoffMs } from "./backoff.js";
import { connectError } from "./connect-error.js";
import { DEFAULT_SILENCE_MS } from "./connection-options.js";
import { Deadline } from "./deadline.js";
import { safeMessage } from "./failure.js";
import { logWarnings } from "./client-warnings.js";
import type { Logger } from "./logger.js";
import { hangUp } from "./open-clients.js";

const FIRST_RECONNECT_PAUSE_MS = 20;
const LONGEST_RECONNECT_PAUSE_MS = 2_000;
const LONGEST_BUSY_PAUSE_MS = 500;

/**
 * Connects, and from then on reconnects for ever. Waits for the end of a script that keeps the server from answering.
 *
 * @throws ConnectError when it can't connect at first.
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
    // A demoted primary keeps its connections: leave it, once for all that was refused. 1 = reconnect, without sending again.
    reconnectOnError: ({ message }) => {
      if (!message.startsWith("READONLY") || left === client.stream) return false;
      left = client.stream;
      return 1;
    },
  });
  logWarnings(client, logger, address);
  const errors = listen(client, logger, address);
  let timer: NodeJS.Timeout | undefined;
  // The client's own limit ends at TCP connect; a frozen server would keep the first INFO waiting for ever.
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      // A plain server takes a TLS greeting for an unfinished command, and waits for the rest.
      const isGreeting =
        settings.tls !== undefined && client.status === "connecting" && client.stream.connecting === false;
      reject(new Error(isGreeting ? "TLS handshake timed out" : "connect timed out"));
    }, limitMs);
  });
  try {
    await Promise.race([client.connect(), limit]);
    // The client is ready in spite of a refused password (and goes on as the default user until it is cut), or of a
    // database that is not there (and goes on in database 0).
    if (errors.length > 0) throw errors[0];
    wasReady = true;
    tellOfLosses(client, logger, address);
    guardReadyCheck(client);
    return client;
  } catch (error) {
    hangUp(client);
    client.stream?.destroy(); // a frozen server would keep it open
    throw connectError(address, [...errors, error]);
  } finally {
    clearTimeout(timer);
  }
}

/** Logs once that a connection was lost, however often connecting again fails, and that it is back. */
function tellOfLosses(client: Valkey, logger: Logger, address: string): void {
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

/** Without a listener the client would print errors itself. Keeps the first few, which say why connecting failed. */
function listen(client: Valkey, logger: Logger, address: string): unknown[] {
  const errors: unknown[] = [];
  client.on("error", (error: unknown) => {
    if (errors.length < 5) errors.push(error);
    logger.warn({ address, error: safeMessage(error) }, "connection error");
  });
  return errors;
}

/**
 * The client's time limit for connecting ends when TCP is up, which the kernel does for a frozen server too. Its first
 * question would then wait for ever.
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
