import type { SecureContextOptions } from "node:tls";
import { type RedisOptions, Valkey } from "iovalkey";
import { type Address, addressText, parseAddress } from "./address.js";
import { ConnectError, connectError } from "./connect-error.js";
import { safeMessage } from "./failure.js";
import { type Logger, silentLogger } from "./logger.js";
import { hangUp, OpenClients } from "./open-clients.js";

export { hangUp } from "./open-clients.js";

/** How to reach the server. */
export interface ConnectionOptions {
  /** `valkey://[user[:password]@]host[:port][/database]`, `valkeys://` for TLS. @default "valkey://127.0.0.1:6379" */
  readonly url?: string;
  /** Overrides the URL's user. */
  readonly username?: string;
  /** Overrides the URL's password, so that it need not stand in a URL. */
  readonly password?: string;
  /** Certificates for `valkeys://`, as Node's tls takes them. */
  readonly tls?: SecureContextOptions & {
    readonly servername?: string;
    readonly rejectUnauthorized?: boolean;
  };
  /** How long connecting may take, in ms, the server's first answer included. @default 5000 */
  readonly connectTimeoutMs?: number;
  /** How long the server may stay silent while calls wait, in ms, before they fail as unknown. @default 5000 */
  readonly silenceTimeoutMs?: number;
  /** Shown by CLIENT LIST. @default "latchkey" */
  readonly connectionName?: string;
  /** A pino logger, or anything alike. Silent by default. */
  readonly logger?: Logger;
  /**
   * A connected iovalkey client to use instead of a URL; `close()` leaves it open. One with `keyPrefix` is refused,
   * because it would rewrite keys but not what scripts compare them with. Its own settings hold: with
   * `maxRetriesPerRequest: 0`, `enableOfflineQueue: false` and `autoResendUnfulfilledCommands: false` calls fail at
   * once while the server is away, as they do with a URL; by default they wait in the client.
   */
  readonly client?: Valkey;
}

const DEFAULT_URL = "valkey://127.0.0.1:6379";
const DEFAULT_TIMEOUT_MS = 5_000;
const LONGEST_RECONNECT_PAUSE_MS = 2_000;

/** Nothing is resent, queued or batched: latchkey alone decides what is sent, and when. */
const SEND_ONCE = {
  lazyConnect: true,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  enableAutoPipelining: false,
} as const satisfies RedisOptions;

/** A connection to one server, and how to make more like it. */
export interface Connection {
  readonly client: Valkey;
  /** The server, without credentials. */
  readonly address: string;
  readonly logger: Logger;
  /**
   * A further connection with the same settings, for calls that block or subscribe. Close it with {@link hangUp}.
   *
   * @throws ConnectError when it can't be made, or `close` was called before it was.
   */
  open(purpose: string): Promise<Valkey>;
  /** True once `close` was called. */
  readonly isClosed: boolean;
  /** Closes what was opened, the further connections as well; a client that was handed in stays open. */
  close(): Promise<void>;
}

/**
 * Connects, with the settings that keep a call from being sent twice: the client resends nothing, queues nothing and
 * batches nothing.
 *
 * @throws ConnectError naming the address and the cause when no connection can be made.
 * @throws TypeError when the URL can't be read or the given client can't be used.
 */
export async function openConnection(options: ConnectionOptions = {}): Promise<Connection> {
  const logger = options.logger ?? silentLogger;
  if (options.client !== undefined) return adopt(options.client, logger);
  const address = parseAddress(options.url ?? DEFAULT_URL);
  const settings = settingsFor(address, options);
  const text = addressText(address);
  const limitMs = options.connectTimeoutMs ?? DEFAULT_TIMEOUT_MS;
  const opened = new OpenClients((purpose) =>
    dial(settingsOfPurpose(settings, purpose), text, limitMs, logger),
  );
  return connectionOf(await opened.open(""), text, logger, opened);
}

function adopt(client: Valkey, logger: Logger): Connection {
  if (!(client instanceof Valkey))
    throw new TypeError(
      "client: pass a Valkey of iovalkey, not a Cluster or another client; `npm ls iovalkey` shows whether there are two copies of it",
    );
  if (client.options.keyPrefix !== undefined && client.options.keyPrefix !== "") {
    throw new TypeError(
      "client: keyPrefix rewrites keys but not script arguments; use a client without it and latchkey's `namespace`",
    );
  }
  const {
    host = "localhost",
    port = 6379,
    tls,
    db = 0,
    connectTimeout = DEFAULT_TIMEOUT_MS,
  } = client.options;
  const address = addressText({ host, port, tls: tls !== undefined, database: db });
  const opened = new OpenClients((purpose) =>
    dial(settingsOfPurpose({ ...client.options, ...SEND_ONCE }, purpose), address, connectTimeout, logger),
  );
  return connectionOf(client, address, logger, opened);
}

function connectionOf(client: Valkey, address: string, logger: Logger, opened: OpenClients): Connection {
  return {
    client,
    address,
    logger,
    open: async (purpose) => {
      if (opened.isClosed) throw new ConnectError(address, "ended");
      const further = await opened.open(purpose);
      if (opened.isClosed) throw new ConnectError(address, "ended");
      return further;
    },
    get isClosed() {
      return opened.isClosed;
    },
    close: async () => opened.close(),
  };
}

function settingsFor(address: Address, options: ConnectionOptions): RedisOptions {
  const username = options.username ?? address.username;
  const password = options.password ?? address.password;
  return {
    host: address.host,
    port: address.port,
    db: address.database,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...((address.tls || options.tls !== undefined) && { tls: { servername: address.host, ...options.tls } }),
    connectionName: options.connectionName ?? "latchkey",
    ...SEND_ONCE,
    // The limit in `dial` comes first, which knows more of the cause; this one is for reconnecting.
    connectTimeout: (options.connectTimeoutMs ?? DEFAULT_TIMEOUT_MS) + 1_000,
    socketTimeout: options.silenceTimeoutMs ?? DEFAULT_TIMEOUT_MS,
    // A demoted primary keeps its connections: leave it. 1 = reconnect, without sending the call again.
    reconnectOnError: (error) => (error.message.startsWith("READONLY") ? 1 : false),
  };
}

/** Blocking reads and subscriptions are silent by nature; TCP keep-alive watches over them instead. */
function settingsOfPurpose(settings: RedisOptions, purpose: string): RedisOptions {
  if (purpose === "") return settings;
  // Left out, because the client takes 0 for "at once".
  const { socketTimeout, commandTimeout, ...rest } = settings;
  // The client would subscribe again without catching: a connection lost in that moment would end the process.
  return { ...rest, autoResubscribe: false, keepAlive: 10_000, connectionName: `latchkey-${purpose}` };
}

/** Connects, and from then on reconnects for ever. */
async function dial(
  settings: RedisOptions,
  address: string,
  limitMs: number,
  logger: Logger,
): Promise<Valkey> {
  let wasReady = false;
  const client = new Valkey({
    ...settings,
    retryStrategy: (attempt) => (wasReady ? Math.min(20 * 2 ** attempt, LONGEST_RECONNECT_PAUSE_MS) : null),
  });
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
    return client;
  } catch (error) {
    hangUp(client);
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
