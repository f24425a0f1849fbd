import type { RedisOptions, Valkey } from "iovalkey";
import { refuse } from "../contract/arguments.js";
import type { Durability } from "../contract/durability.js";
import type { Duration } from "../machine/duration.js";
import type { Address, SentinelGroup } from "./address.js";
import type { DefaultActor } from "./default-actor.js";
import { type Logger, silentLogger } from "./logger.js";
import type { TlsOptions } from "./tls-options.js";
import { tlsSettings } from "./tls-settings.js";

/** Options for Sentinels. */
export interface SentinelOptions {
  /** User of the Sentinels themselves. */
  readonly username?: string;
  /** Password of the Sentinels themselves. */
  readonly password?: string;
  /**
   * Addresses to use instead of those that the Sentinels name, if this host cannot reach these.
   * @example { "10.0.0.5:6379": { host: "valkey.example.com", port: 7001 } }
   */
  readonly natMap?: Readonly<Record<string, { readonly host: string; readonly port: number }>>;
}

/** Options for a cluster. */
export interface ClusterOptions {
  /** Some of the cluster's nodes, as `host:port`. All others are found. @default those of `url` */
  readonly nodes?: readonly string[];
  /** Addresses to use instead of those that the nodes name, if this host cannot reach these. */
  readonly natMap?: Readonly<Record<string, { readonly host: string; readonly port: number }>>;
}

/** Options of the connection to the server. */
export interface ConnectionOptions {
  /**
   * `valkey://[user[:password]@]host[:port][/database]`; `valkeys` for TLS. With Sentinels
   * `valkey+sentinel://[user[:password]@]host[:port][,host[:port]…]/primary[/database]`. For a cluster
   * `valkey+cluster://[user[:password]@]host[:port][,host[:port]…]`; a cluster is also recognised by the URL of one node. For a
   * Unix socket `unix://[user[:password]@]/path`.
   * @default "valkey://127.0.0.1:6379"
   */
  readonly url?: string;
  /** Options for Sentinels. */
  readonly sentinel?: SentinelOptions;
  /** Some nodes of a cluster, as `host:port`, or options for a cluster. With `tls` their connections use TLS. */
  readonly cluster?: readonly string[] | ClusterOptions;
  /** Number of the database; overrides the URL's. A database other than 0 needs a `namespace` of its own. @default 0 */
  readonly database?: number;
  /**
   * Longest time of a call, retries included. The error of a call that fails shows if it was executed.
   * @default "5s"
   */
  readonly timeout?: Duration;
  /**
   * Acknowledgements that every change waits for. Such changes use a connection of their own.
   * @default "memory"
   */
  readonly durability?: Durability;
  /**
   * Name of the process or user that makes a change, for changes without an `actor` of their own. A function is called when
   * a change is called, in the caller's async context, so that it can read an AsyncLocalStorage. If it throws or does not
   * return text, the change is made without an actor, and a warning is logged once.
   */
  readonly actor?: DefaultActor;
  /**
   * Largest number of changes that are in flight at once, at each server. Changes beyond it wait in this process, and have
   * not started.
   * @default as many as the server answers quickly, measured continuously
   */
  readonly maxInFlight?: number;
  /** Overrides the URL's user. */
  readonly username?: string;
  /** Overrides the URL's password. */
  readonly password?: string;
  /** Options of TLS for a `valkeys://` URL. Rejected with any other URL, which has no TLS. */
  readonly tls?: TlsOptions;
  /** Longest time to connect, in ms, the server's first reply included. @default 5000 */
  readonly connectTimeoutMs?: number;
  /**
   * Longest silence of the server while calls wait, in ms. After that the client connects again.
   * @default 2500
   */
  readonly silenceTimeoutMs?: number;
  /** Name in CLIENT LIST: ASCII letters, digits and signs, without spaces. @default "latchkey" */
  readonly connectionName?: string;
  /** A pino logger, or one with the same methods. A failure of the logger has no effect on calls. Silent by default. */
  readonly logger?: Logger;
  /**
   * A connected iovalkey client to use instead of a URL; `close()` leaves it open. A client with `keyPrefix` is rejected,
   * because the prefix rewrites keys but not script arguments. The client's own settings apply: with
   * `maxRetriesPerRequest: 0`, `enableOfflineQueue: false` and `autoResendUnfulfilledCommands: false` calls fail at
   * once while the server is unreachable, as they do with a URL; by default they wait in the client.
   */
  readonly client?: Valkey;
}

/** Returns the options for a cluster, also if only its nodes are given. */
export function clusterOptions(cluster: ConnectionOptions["cluster"]): ClusterOptions {
  return isList(cluster) ? { nodes: cluster } : (cluster ?? {});
}

function isList(value: unknown): value is readonly string[] {
  return Array.isArray(value);
}

/** Default of `url`. */
export const DEFAULT_URL = "valkey://127.0.0.1:6379";
/** Default of `namespace`. */
export const DEFAULT_NAMESPACE = "latchkey";
/** Default of `connectionName`. */
export const DEFAULT_CONNECTION_NAME = "latchkey";
/** Default of `connectTimeoutMs`. */
export const DEFAULT_CONNECT_MS = 5_000;
/** Half of a call's default timeout, so that a retry is possible if the server froze. */
export const DEFAULT_SILENCE_MS = 2_500;
/** A silent connection is probed after this time, and closed ten seconds later. Shorter than the idle limits of most NATs. */
export const KEEP_ALIVE_MS = 10_000;
/** After this time the client asks the next Sentinel. */
const SENTINEL_TIMEOUT_MS = 1_000;

/** The client resends, queues and batches nothing: latchkey alone decides when a command is sent. */
export const SEND_ONCE = {
  lazyConnect: true,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  enableAutoPipelining: false,
} as const satisfies RedisOptions;

/** Returns the address of a client of the caller. */
export function addressOf({ host, port, path, tls, db, sentinels, name }: RedisOptions): Address {
  const nodes = (sentinels ?? []).map((node) => ({
    host: node.host ?? "localhost",
    port: node.port ?? 26_379,
  }));
  return {
    host: host ?? "localhost",
    port: port ?? 6379,
    ...(path != null && { path }),
    tls: tls !== undefined,
    database: db ?? 0,
    ...(nodes.length > 0 && { sentinel: { nodes, primary: name ?? "" } }),
  };
}

/** Rejects options of TLS for a connection without it. The URL alone decides, so that the address is never wrong. */
function checkHasTls({ tls, path, sentinel }: Address): void {
  if (tls) return;
  if (path !== undefined) refuse("tls cannot be used with a Unix socket; omit it");
  const group = sentinel === undefined ? "" : "+sentinel";
  refuse(`tls needs a URL of TLS: write valkeys${group}:// instead of valkey${group}://`);
}

/**
 * Returns the client's settings for an address.
 *
 * @throws ContractError if `tls` is set for an address without TLS, or its certificates cannot be used
 */
export function settingsFor(address: Address, options: ConnectionOptions): RedisOptions {
  if (options.tls !== undefined) checkHasTls(address);
  const username = options.username ?? address.username;
  const password = options.password ?? address.password;
  const { host, port, path, sentinel } = address;
  const tls = address.tls ? tlsSettings(options.tls ?? {}, options.logger ?? silentLogger) : undefined;
  return {
    ...(sentinel === undefined
      ? { ...(path === undefined ? { host, port } : { path }), ...(tls !== undefined && { tls }) }
      : sentinelSettings(sentinel, tls, options.sentinel ?? {})),
    db: address.database,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    connectionName: options.connectionName ?? DEFAULT_CONNECTION_NAME,
    ...SEND_ONCE,
    // Node tries IPv4 and IPv6 by itself.
    family: 0,
    familyFallback: { enabled: false },
    keepAlive: KEEP_ALIVE_MS,
    // The limit in `dial` is shorter and knows the cause. This one is for reconnections.
    connectTimeout: (options.connectTimeoutMs ?? DEFAULT_CONNECT_MS) + 1_000,
    socketTimeout: options.silenceTimeoutMs ?? DEFAULT_SILENCE_MS,
  };
}

function sentinelSettings(
  { nodes, primary }: SentinelGroup,
  tls: RedisOptions["tls"],
  { username, password, natMap }: SentinelOptions,
): RedisOptions {
  return {
    sentinels: [...nodes],
    name: primary,
    ...(username !== undefined && { sentinelUsername: username }),
    ...(password !== undefined && { sentinelPassword: password }),
    // Without the first of these the data is not encrypted although `tls` is set.
    ...(tls !== undefined && { enableTLSForSentinelMode: true, tls, sentinelTLS: tls }),
    ...(natMap !== undefined && { natMap: { ...natMap } }),
    sentinelCommandTimeout: SENTINEL_TIMEOUT_MS,
  };
}

/** Purpose of the connection for changes that wait for acknowledgements. */
export const DURABLE = "durable";

/** Purpose of the connection to a replica. */
export const REPLICA = "replica";

/** Purpose of the connection to a node of a cluster for slots that the node receives. */
export const ASKING = "asking";

/** Purpose of a connection that waits for events, for less than `silenceTimeoutMs` each time. */
export const EVENTS = "events";

/** Purpose of a connection that only listens. It sends a PING now and then, to detect a frozen server. */
export const SUBSCRIBE = "subscribe";

/** Returns the settings of a further connection. */
export function settingsOfPurpose(settings: RedisOptions, purpose: string): RedisOptions {
  if (purpose === "") return settings;
  const named = { ...settings, connectionName: `latchkey-${purpose}`, keepAlive: KEEP_ALIVE_MS };
  if ([DURABLE, REPLICA, ASKING, EVENTS].includes(purpose)) return named;
  // The client subscribes again without a catch: a connection lost in that moment would end the process.
  const further = { ...named, autoResubscribe: false };
  // Omitted, because 0 means "at once" to the client.
  const { socketTimeout = DEFAULT_SILENCE_MS, commandTimeout, ...rest } = further;
  return purpose === SUBSCRIBE ? { ...rest, socketTimeout } : rest;
}
