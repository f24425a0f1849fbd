import { type RedisOptions, SentinelConnector, type Valkey } from "iovalkey";
import { hostText } from "./address.js";
import { withRealTicks } from "./real-time-client.js";
import { hideSecrets } from "./secret-arguments.js";

/** The address of a server, as a Sentinel names it. */
interface Named {
  readonly host: string;
  readonly port: number;
}

/** Keeps the latest replies of the Sentinels to a client. */
export interface SentinelTrace {
  /** Address of the primary that they named. */
  primary?: string;
  /** Error of a connection to a Sentinel. */
  error?: unknown;
}

/** Parts of the client's connector that its types declare private. */
interface Connector {
  resolve(sentinel: unknown): Promise<Named | null>;
  connectToSentinel(sentinel: unknown, options?: RedisOptions): Valkey;
}

const Base = SentinelConnector as unknown as new (options: RedisOptions) => Connector;

/** Makes a connector that asks the Sentinels for the primary, and writes down their replies. */
export function sentinelConnector(trace: SentinelTrace): NonNullable<RedisOptions["Connector"]> {
  class Watched extends Base {
    override async resolve(sentinel: unknown): Promise<Named | null> {
      const named = await super.resolve(sentinel);
      if (named !== null) trace.primary = hostText(named.host, named.port);
      return named;
    }

    override connectToSentinel(sentinel: unknown, options?: RedisOptions): Valkey {
      const client = withRealTicks(() => super.connectToSentinel(sentinel, options));
      hideSecrets(client);
      client.on("error", (error: unknown) => {
        trace.error = error;
      });
      return client;
    }
  }
  return Watched as unknown as NonNullable<RedisOptions["Connector"]>;
}
