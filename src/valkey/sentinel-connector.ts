import { type RedisOptions, SentinelConnector, type Valkey } from "iovalkey";
import { hostText } from "./address.js";
import { hideSecrets } from "./secret-arguments.js";

/** The address of a server, as a Sentinel names it. */
interface Named {
  readonly host: string;
  readonly port: number;
}

/** Parts of the client's connector that its types declare private. */
interface Connector {
  resolve(sentinel: unknown): Promise<Named | null>;
  connectToSentinel(sentinel: unknown, options?: RedisOptions): Valkey;
}

const Base = SentinelConnector as unknown as new (options: RedisOptions) => Connector;

/**
 * Makes a connector that asks the Sentinels for the primary.
 *
 * @param onPrimary called with the address of the primary before each connection to it
 */
export function sentinelConnector(
  onPrimary: (address: string) => void,
): NonNullable<RedisOptions["Connector"]> {
  class Watched extends Base {
    override async resolve(sentinel: unknown): Promise<Named | null> {
      const named = await super.resolve(sentinel);
      if (named !== null) onPrimary(hostText(named.host, named.port));
      return named;
    }

    override connectToSentinel(sentinel: unknown, options?: RedisOptions): Valkey {
      const client = super.connectToSentinel(sentinel, options);
      hideSecrets(client);
      return client;
    }
  }
  return Watched as unknown as NonNullable<RedisOptions["Connector"]>;
}
