import { isIP } from "node:net";
import type { SecureContextOptions } from "node:tls";
import type { RedisOptions, Valkey } from "iovalkey";
import type { Durability } from "../contract/durability.js";
import type { Duration } from "../machine/duration.js";
import type { Address, SentinelGroup } from "./address.js";
import type { Logger } from "./logger.js";

/** How to reach the server. */
export interface ConnectionOptions {
  /**
   * `valkey://[user[:password]@]host[:port][/database]`, or, where Sentinels watch the server,
   * `valkey+sentinel://[user[:password]@]host[:port][,host[:port]…]/primary[/database]`; `valkeys` for TLS.
   * @default "valkey://127.0.0.1:6379"
   */
  readonly url?: string;
  /** How the Sentinels themselves want to be spoken to, if they want credentials. */
  readonly sentinel?: { readonly username?: string; readonly password?: string };
  /**
   * How long a call may take, repeated attempts included; then it fails, and says whether it was executed.
   * @default "5s"
   */
  readonly timeout?: Duration;
  /**
   * What every change waits for after it was made: see {@link Durability}. Such changes have a connection of their own.
   * @default "memory"
   */
  readonly durability?: Durability;
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
  /**
   * How long the server may stay silent while calls wait, in ms, before the connection is given up and made again.
   * @default 2500
   */
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

/** How long connecting may take where nothing else is said, in ms. */
export const DEFAULT_CONNECT_MS = 5_000;
/** Half of what a call has by default, so that it can be tried again where a server froze. */
export const DEFAULT_SILENCE_MS = 2_500;
/** A Sentinel that does not answer at once is passed over for the next one. */
const SENTINEL_TIMEOUT_MS = 1_000;

/** Nothing is resent, queued or batched: latchkey alone decides what is sent, and when. */
export const SEND_ONCE = {
  lazyConnect: true,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
  enableAutoPipelining: false,
} as const satisfies RedisOptions;

/** The client's settings for an address. */
export function settingsFor(address: Address, options: ConnectionOptions): RedisOptions {
  const username = options.username ?? address.username;
  const password = options.password ?? address.password;
  // Which server the Sentinels will name is not known yet, so neither is the name on its certificate.
  // An IP address is no server name (RFC 6066, section 3).
  const isNamed = address.sentinel === undefined && isIP(address.host) === 0;
  const name = isNamed ? { servername: address.host } : {};
  const tls = address.tls || options.tls !== undefined ? { ...name, ...options.tls } : undefined;
  return {
    ...(address.sentinel === undefined
      ? { host: address.host, port: address.port, ...(tls !== undefined && { tls }) }
      : sentinelSettings(address.sentinel, tls, options.sentinel ?? {})),
    db: address.database,
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    connectionName: options.connectionName ?? "latchkey",
    ...SEND_ONCE,
    // The limit in `dial` comes first, which knows more of the cause; this one is for reconnecting.
    connectTimeout: (options.connectTimeoutMs ?? DEFAULT_CONNECT_MS) + 1_000,
    socketTimeout: options.silenceTimeoutMs ?? DEFAULT_SILENCE_MS,
  };
}

function sentinelSettings(
  { nodes, primary }: SentinelGroup,
  tls: RedisOptions["tls"],
  { username, password }: { readonly username?: string; readonly password?: string },
): RedisOptions {
  return {
    sentinels: [...nodes],
    name: primary,
    ...(username !== undefined && { sentinelUsername: username }),
    ...(password !== undefined && { sentinelPassword: password }),
    // Without the first of these the data would travel in the clear although `tls` is set.
    ...(tls !== undefined && { enableTLSForSentinelMode: true, tls, sentinelTLS: tls }),
    sentinelCommandTimeout: SENTINEL_TIMEOUT_MS,
  };
}

/** The purpose of the connection on which changes are made that wait for copies. */
export const DURABLE = "durable";

/** The purpose of a connection that waits for events, never longer than `silenceTimeoutMs` allows. */
export const EVENTS = "events";

/** The purpose of a connection that only listens; it asks for an answer now and then, to notice a server that froze. */
export const SUBSCRIBE = "subscribe";

/** The settings of a further connection. */
export function settingsOfPurpose(settings: RedisOptions, purpose: string): RedisOptions {
  if (purpose === "") return settings;
  const named = { ...settings, connectionName: `latchkey-${purpose}` };
  if (purpose === DURABLE || purpose === EVENTS) return named;
  // The client would subscribe again without catching: a connection lost in that moment would end the process.
  const further = { ...named, autoResubscribe: false, keepAlive: 10_000 };
  // Left out, because the client takes 0 for "at once".
  const { socketTimeout = DEFAULT_SILENCE_MS, commandTimeout, ...rest } = further;
  return purpose === SUBSCRIBE ? { ...rest, socketTimeout } : rest;
}
