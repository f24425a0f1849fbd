import type { RedisOptions, Valkey } from "iovalkey";
import { ConnectError } from "../errors/connect-error.js";
import { backoffMs, pauseBeforeRetry } from "./backoff.js";
import { logWarnings } from "./client-warnings.js";
import { connectError, HANDSHAKE_TIMED_OUT } from "./connect-error.js";
import { DEFAULT_SILENCE_MS } from "./connection-options.js";
import { Deadline, TimeUpError } from "./deadline.js";
import { safeMessage } from "./failure.js";
import type { Logger } from "./logger.js";
import { hangUp } from "./open-clients.js";
import { clearTimeout, setTimeout } from "./real-time.js";
import { realTimeClient } from "./real-time-client.js";
import { hideSecrets } from "./secret-arguments.js";
import { type SentinelTrace, sentinelConnector } from "./sentinel-connector.js";

const FIRST_RECONNECT_PAUSE_MS = 20;
const LONGEST_RECONNECT_PAUSE_MS = 2_000;

/**
 * Connects, and reconnects for ever after. Waits for the end of a slow script that blocks the server.
 *
 * @param onDial called with each client before it connects
 * @throws ConnectError if the first connection fails
 */
export async function dial(
  settings: RedisOptions,
  address: string,
  limitMs: number,
  logger: Logger,
  onDial: (client: Valkey) => void = () => {},
): Promise<Valkey> {
  const deadline = Deadline.in(limitMs);
  let busy: ConnectError | undefined;
  for (let failed = 0; ; failed += 1) {
    try {
      return await dialOnce(settings, address, deadline, logger, onDial);
    } catch (error) {
      if (!(error instanceof ConnectError)) throw error;
      if (error.reason === "busy") busy = error;
      else if (error.reason !== "timeout" || busy === undefined) throw error;
      await pauseBeforeRetry(failed, deadline);
      if (deadline.isOver) throw busy;
    }
  }
}

async function dialOnce(
  settings: RedisOptions,
  address: string,
  deadline: Deadline,
  logger: Logger,
  onDial: (client: Valkey) => void,
): Promise<Valkey> {
  let wasReady = false;
  const pauseMs = (attempt: number): number | null => {
    if (!wasReady) return null;
    // The first one at once: a lost connection costs the calls that wait little more than a round trip.
    return attempt === 1 ? 0 : backoffMs(attempt - 1, FIRST_RECONNECT_PAUSE_MS, LONGEST_RECONNECT_PAUSE_MS);
  };
  let left: Valkey["stream"] | undefined;
  const trace: SentinelTrace = {};
  const client = realTimeClient({
    ...settings,
    ...(settings.sentinels != null && { Connector: sentinelConnector(trace) }),
    retryStrategy: pauseMs,
    sentinelRetryStrategy: pauseMs,
    // A demoted primary keeps its connections, so leave it, once per connection. 1 = reconnect without resending.
    reconnectOnError: ({ message }) => {
      if (!message.startsWith("READONLY") || left === client.stream) return false;
      left = client.stream;
      return 1;
    },
  });
  hideSecrets(client);
  logWarnings(client, logger, address);
  const errors = listen(client, logger, address);
  onDial(client);
  try {
    // The client's own limit ends at TCP connect. A frozen server would never answer the first INFO.
    await deadline.race(client.connect());
    // The client becomes ready despite a wrong password (as the default user) or an unknown database (in database 0).
    if (errors.length > 0) throw errors[0];
    wasReady = true;
    logLosses(client, logger, address);
    guardReadyCheck(client);
    return client;
  } catch (error) {
    const cause = error instanceof TimeUpError ? timedOut(client) : error;
    hangUp(client);
    client.stream?.destroy(); // a frozen server keeps it open
    throw connectError(address, [...errors, cause], trace);
  }
}

/** A server without TLS reads a TLS greeting as an unfinished command, and waits for the rest. A frozen one is silent too. */
function timedOut({ options, status, stream }: Valkey): Error {
  const isGreeting = options.tls !== undefined && status === "connecting" && stream?.connecting === false;
  return new Error(isGreeting ? HANDSHAKE_TIMED_OUT : "connect timed out");
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
