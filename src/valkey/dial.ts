import type { RedisOptions, Valkey } from "iovalkey";
import { ConnectError } from "../errors/connect-error.js";
import { backoffMs, pauseBeforeRetry } from "./backoff.js";
import { logWarnings } from "./client-warnings.js";
import { connectError, HANDSHAKE_TIMED_OUT, mayHideTls } from "./connect-error.js";
import { DEFAULT_SILENCE_MS } from "./connection-options.js";
import { Deadline, TimeUpError } from "./deadline.js";
import { safeMessage } from "./failure.js";
import type { Logger } from "./logger.js";
import { hangUp } from "./open-clients.js";
import { clearTimeout, setTimeout } from "./real-time.js";
import { realTimeClient } from "./real-time-client.js";
import { hideSecrets } from "./secret-arguments.js";
import { type SentinelTrace, sentinelConnector } from "./sentinel-connector.js";
import { hiddenTlsError, type Target, unlessPlain } from "./tls-probe.js";
import { withServerName } from "./tls-settings.js";

const FIRST_RECONNECT_PAUSE_MS = 20;
const LONGEST_RECONNECT_PAUSE_MS = 2_000;

/**
 * Connects, and reconnects for ever after. Waits for the end of a slow script that blocks the server.
 *
 * @param onDial called with each client before it connects
 * @param logged errors that were logged already, since the last connection: they have level debug
 * @throws ConnectError if the first connection fails
 */
export async function dial(
  settings: RedisOptions,
  address: string,
  limitMs: number,
  logger: Logger,
  onDial: (client: Valkey) => void = () => {},
  logged = new Set<string>(),
): Promise<Valkey> {
  const deadline = Deadline.in(limitMs);
  let busy: ConnectError | undefined;
  for (let failed = 0; ; failed += 1) {
    try {
      return await dialOnce(settings, address, deadline, logger, onDial, logged);
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
  logged: Set<string>,
): Promise<Valkey> {
  let wasReady = false;
  const pauseMs = (attempt: number): number | null => {
    if (!wasReady) return null;
    // The first one at once: a lost connection costs the calls that wait little more than a round trip.
    return attempt === 1 ? 0 : backoffMs(attempt - 1, FIRST_RECONNECT_PAUSE_MS, LONGEST_RECONNECT_PAUSE_MS);
  };
  let left: Valkey["stream"] | undefined;
  const trace: SentinelTrace = {};
  const target = (): Target | undefined => trace.primary ?? trace.sentinel ?? targetOf(settings);
  const client = realTimeClient({
    ...settings,
    ...(settings.sentinels == null
      ? withServerName(settings.tls, settings.host)
      : { Connector: sentinelConnector(trace, settings.sentinelTLS) }),
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
  const errors = listen(client, logger, address, logged);
  onDial(client);
  try {
    // The client's own limit ends at TCP connect. A frozen server would never answer the first INFO.
    const connected = deadline.race(client.connect());
    await (settings.tls === undefined ? connected : unlessPlain(connected, target, deadline));
    // The client becomes ready despite an unknown database, in database 0.
    if (errors.length > 0) throw errors[0];
    wasReady = true;
    logLosses(client, logger, address);
    guardReadyCheck(client);
    return client;
  } catch (error) {
    const cause = error instanceof TimeUpError ? timedOut(client) : error;
    hangUp(client);
    client.stream?.destroy(); // a frozen server keeps it open
    const causes = [...errors, cause];
    const hidden = mayHideTls(causes, trace)
      ? await hiddenTlsError(target(), settings.tls, deadline)
      : undefined;
    throw connectError(address, hidden === undefined ? causes : [hidden], trace);
  }
}

/** Returns the address of a server; undefined for a Unix socket. */
function targetOf({ host = "localhost", port = 6379, path }: RedisOptions): Target | undefined {
  return path == null ? { host, port } : undefined;
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

/**
 * Logs errors, which the client prints without a listener. Repetitions before the next connection have level debug. Keeps
 * the first few as the cause of a failed connection.
 */
function listen(client: Valkey, logger: Logger, address: string, logged: Set<string>): unknown[] {
  const errors: unknown[] = [];
  client.on("ready", () => logged.clear());
  client.on("error", (cause: unknown) => {
    if (errors.length < 5) errors.push(cause);
    const error = safeMessage(cause);
    logger[logged.has(error) ? "debug" : "warn"]({ address, error }, "connection error");
    logged.add(error);
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
