import { isIP } from "node:net";
import { type RedisOptions, SentinelConnector, type Valkey } from "iovalkey";
import { withRealTicks } from "./real-time-client.js";
import { hideSecrets } from "./secret-arguments.js";
import type { Target } from "./tls-probe.js";
import { withServerName } from "./tls-settings.js";

/** Keeps the latest replies of the Sentinels to a client. */
export interface SentinelTrace {
  /** The primary that they named. */
  primary?: Target;
  /** The Sentinel that was asked last. */
  sentinel?: Target;
  /** Error of a connection to a Sentinel. */
  error?: unknown;
}

/** Parts of the client's connector that its types declare private. */
interface Connector {
  resolve(sentinel: Partial<Target>): Promise<Target | null>;
  connectToSentinel(sentinel: Partial<Target>, options?: RedisOptions): Valkey;
}

const Base = SentinelConnector as unknown as new (options: RedisOptions) => Connector;

/**
 * Makes a connector that asks the Sentinels for the primary, and writes down their replies.
 *
 * @param tls settings of the connections to Sentinels
 */
export function sentinelConnector(
  trace: SentinelTrace,
  tls: RedisOptions["sentinelTLS"],
): NonNullable<RedisOptions["Connector"]> {
  class Watched extends Base {
    override async resolve(sentinel: Partial<Target>): Promise<Target | null> {
      delete trace.primary;
      const named = await super.resolve(sentinel);
      if (named === null) return null;
      const { host, port } = named;
      trace.primary = { host, port };
      // A copy, because the client adds its settings to it.
      return { host, port, ...(isIP(host) === 0 && { servername: host }) };
    }

    override connectToSentinel(sentinel: Partial<Target>, options?: RedisOptions): Valkey {
      const { host = "localhost", port = 26_379 } = sentinel;
      trace.sentinel = { host, port };
      const settings = { ...options, ...withServerName(tls, host) };
      const client = withRealTicks(() => super.connectToSentinel(sentinel, settings));
      hideSecrets(client);
      client.on("error", (error: unknown) => {
        trace.error = error;
      });
      return client;
    }
  }
  return Watched as unknown as NonNullable<RedisOptions["Connector"]>;
}
