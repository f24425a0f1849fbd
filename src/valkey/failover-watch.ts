import type { RedisOptions } from "iovalkey";
import { backoffMs } from "./backoff.js";
import { logWarnings } from "./client-warnings.js";
import { KEEP_ALIVE_MS } from "./connection-options.js";
import { safeMessage } from "./failure.js";
import type { Logger } from "./logger.js";
import { hangUp } from "./open-clients.js";
import { realTimeClient } from "./real-time-client.js";
import { hideSecrets } from "./secret-arguments.js";
import { withServerName } from "./tls-settings.js";

/** Channel on which Sentinels publish a new primary: its name, the old address, the new one. */
const SWITCH = "+switch-master";
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 10_000;

/**
 * Listens to Sentinels, and calls `leave` after a failover. A former primary that still runs accepts writes until it is
 * demoted, and those are lost. iovalkey's `failoverDetector` does the same, but prints an error for each unreachable
 * Sentinel, and reacts to failovers of other groups.
 *
 * @returns a function that stops it
 */
export function watchFailover(settings: RedisOptions, logger: Logger, leave: () => void): () => void {
  const { sentinels = [], name, sentinelUsername, sentinelPassword, sentinelTLS } = settings;
  const listeners = sentinels.map(({ host, port }) => {
    const listener = realTimeClient({
      ...(host !== undefined && { host }),
      ...(port !== undefined && { port }),
      ...(sentinelUsername !== undefined && { username: sentinelUsername }),
      ...(sentinelPassword !== undefined && { password: sentinelPassword }),
      ...withServerName(sentinelTLS, host),
      connectionName: "latchkey-failover",
      family: 0,
      familyFallback: { enabled: false },
      keepAlive: KEEP_ALIVE_MS,
      enableOfflineQueue: false,
      autoResubscribe: false, // the client would not catch its failure
      retryStrategy: (attempt) => backoffMs(attempt, FIRST_PAUSE_MS, LONGEST_PAUSE_MS) + FIRST_PAUSE_MS,
    });
    const log = (error: unknown): void =>
      logger.debug({ sentinel: `${host}:${port}`, error: safeMessage(error) }, "a Sentinel does not answer");
    hideSecrets(listener);
    logWarnings(listener, logger, `${host}:${port}`);
    listener.on("error", log);
    listener.on("ready", () => void listener.subscribe(SWITCH).catch(log));
    listener.on("message", (_channel, message) => {
      if (message.split(" ")[0] !== name) return;
      logger.warn({ primary: name }, "another server has become the primary");
      leave();
    });
    return listener;
  });
  return () => listeners.forEach(hangUp);
}
