import { Valkey } from "iovalkey";
import { refuse } from "../contract/arguments.js";
import { type Address, addressText } from "./address.js";
import { openCluster } from "./cluster/open-cluster.js";
import { isNode } from "./cluster/view.js";
import type { Connection } from "./connection.js";
import { type CallDefaults, callDefaults, checkConnection, checkDatabase } from "./connection-checks.js";
import {
  addressOf,
  type ConnectionOptions,
  clusterOptions,
  DEFAULT_CONNECT_MS,
  DEFAULT_NAMESPACE,
  DEFAULT_URL,
  SEND_ONCE,
  settingsFor,
  settingsOfPurpose,
} from "./connection-options.js";
import { dial } from "./dial.js";
import { watchFailover } from "./failover-watch.js";
import { type Logger, silentLogger } from "./logger.js";
import { OpenClients } from "./open-clients.js";
import { serverConnection } from "./server-connection.js";
import { parseAddress, parseHosts } from "./server-url.js";

/** Options of a connection. */
export interface OpenOptions extends ConnectionOptions {
  readonly namespace?: string;
  /** Connects to a cluster if any of its primaries can be reached, for checks. @default false */
  readonly isPartial?: boolean;
}

/**
 * Connects, with settings that prevent a call from being sent twice: the client resends, queues and batches nothing.
 *
 * @param mostMs longest time to connect, if `connectTimeoutMs` is longer
 * @throws ConnectError with the address and the cause if it cannot connect
 * @throws ContractError if an option is invalid
 */
export async function openConnection(
  options: OpenOptions = {},
  mostMs = Number.POSITIVE_INFINITY,
): Promise<Connection> {
  checkConnection(options);
  const logger = options.logger ?? silentLogger;
  const defaults = callDefaults(options);
  const { client: adopted, namespace } = options;
  if (adopted !== undefined) return adopt(adopted, namespace, logger, defaults);
  const address = addressIn(options);
  const limitMs = Math.min(options.connectTimeoutMs ?? DEFAULT_CONNECT_MS, mostMs);
  const asCluster = (): Promise<Connection> =>
    openCluster(
      address,
      { ...options, namespace: namespace ?? DEFAULT_NAMESPACE },
      logger,
      defaults,
      limitMs,
    );
  if (address.cluster !== undefined) return asCluster();
  checkDatabase(address.database, namespace);
  const settings = settingsFor(address, options);
  const text = addressText(address);
  const opened = new OpenClients((purpose, onDial, place) =>
    dial({ ...settingsOfPurpose(settings, purpose), ...place }, text, limitMs, logger, onDial),
  );
  const client = await opened.open("");
  if (settings.sentinels !== undefined)
    opened.onClose(watchFailover(settings, logger, () => opened.reconnect()));
  else if (await isNode(client).catch(() => false)) {
    opened.close();
    return asCluster();
  }
  return serverConnection(client, text, logger, defaults, opened);
}

/** Returns the address that the options name. */
function addressIn({ url, cluster, database, tls }: ConnectionOptions): Address {
  const { nodes } = clusterOptions(cluster);
  if (nodes !== undefined) {
    const parsed = parseHosts(nodes, 6379, "invalid list cluster", "write each address as host:port");
    return { ...parsed[0], tls: tls !== undefined, database: database ?? 0, cluster: parsed };
  }
  const parsed = parseAddress(url ?? DEFAULT_URL);
  return { ...parsed, database: database ?? parsed.database };
}

function adopt(
  client: Valkey,
  namespace: string | undefined,
  logger: Logger,
  defaults: CallDefaults,
): Connection {
  if (!(client instanceof Valkey))
    refuse(
      "client must be a Valkey of iovalkey, not a Cluster or another client; `npm ls iovalkey` lists its copies",
    );
  if (client.options.keyPrefix !== undefined && client.options.keyPrefix !== "") {
    refuse(
      "client: keyPrefix rewrites keys but not script arguments; use a client without it and latchkey's `namespace`",
    );
  }
  const { db = 0, connectTimeout = DEFAULT_CONNECT_MS } = client.options;
  checkDatabase(db, namespace);
  if (client.status === "wait") client.connect().catch(() => {}); // lazyConnect; a failure shows in the calls
  const address = addressText(addressOf(client.options));
  const opened = new OpenClients((purpose, onDial, place) =>
    dial(
      { ...settingsOfPurpose({ ...client.options, ...SEND_ONCE }, purpose), ...place },
      address,
      connectTimeout,
      logger,
      onDial,
    ),
  );
  return serverConnection(client, address, logger, defaults, opened);
}
