import { Valkey } from "iovalkey";
import { refuse } from "../contract/arguments.js";
import type { DurabilityNeed } from "../contract/durability.js";
import { ClosedError } from "../errors/closed-error.js";
import type { LatchkeyError } from "../errors/latchkey-error.js";
import { addressText } from "./address.js";
import { type CallDefaults, callDefaults, checkConnection, checkDatabase } from "./connection-checks.js";
import {
  addressOf,
  type ConnectionOptions,
  DEFAULT_CONNECT_MS,
  DEFAULT_URL,
  DURABLE,
  SEND_ONCE,
  settingsFor,
  settingsOfPurpose,
} from "./connection-options.js";
import type { Deadline } from "./deadline.js";
import { dial } from "./dial.js";
import { type DurableLine, durableLine } from "./durable-line.js";
import { EntityOrder } from "./entity-order.js";
import { watchFailover } from "./failover-watch.js";
import { InFlight } from "./in-flight.js";
import { type Logger, silentLogger } from "./logger.js";
import { OpenClients } from "./open-clients.js";
import { Positions } from "./positions.js";
import { type ConnectionCheck, Readiness } from "./readiness.js";
import { ServerClock } from "./server-clock.js";
import { parseAddress } from "./server-url.js";

export type { ConnectionOptions } from "./connection-options.js";
export { hangUp } from "./open-clients.js";

/** A connection to one server, which can open more with the same settings. */
export interface Connection {
  readonly client: Valkey;
  /** The server, without credentials. */
  readonly address: string;
  readonly logger: Logger;
  /** Default timeout of a call, in ms. */
  readonly timeoutMs: number;
  /** Default acknowledgements of a change. */
  readonly durability: DurabilityNeed;
  /** Returns the actor of a change whose call names none. */
  readonly actor: () => string | undefined;
  /**
   * Returns the connection for changes that wait for acknowledgements, when it is ready.
   *
   * @throws OfflineError if it is not ready in time
   */
  durable(deadline: Deadline): Promise<DurableLine>;
  /** Estimate of the server's clock, discarded after every loss of the connection. */
  readonly clock: ServerClock;
  /** Positions of the event logs, as known from replies. */
  readonly positions: Positions;
  /** Limits the calls in flight; what exceeds the limit waits in this process. */
  readonly inFlight: InFlight;
  /** Order of the changes of each entity. */
  readonly order: EntityOrder;
  /** Number of reconnections. Each time another server may answer. */
  readonly epoch: number;
  /** True if calls may be sent: it is connected, and the connection has passed the check of `guard`. */
  readonly isReady: boolean;
  /**
   * Waits until `isReady`.
   *
   * @throws OfflineError if it is not ready in time, or the client has ended; ClosedError; the error of `fail`
   */
  untilReady(deadline: Deadline): Promise<void>;
  /** Sets the check that each further connection must pass before a call is sent. */
  guard(check: ConnectionCheck): void;
  /** Runs the check of `guard` now. @throws its error */
  verify(): Promise<void>;
  /** Rejects all further calls with this error. */
  fail(error: LatchkeyError): void;
  /**
   * Opens a further connection with the same settings, for calls that block or subscribe. Close it with {@link hangUp}.
   *
   * @throws ConnectError if it cannot be opened, ClosedError if `close` was called before or meanwhile
   */
  open(purpose: string): Promise<Valkey>;
  /** Adds work that `close` does first; runs it at once if `close` has begun. @returns a function that removes it */
  beforeClose(work: () => Promise<void>): () => void;
  /** True after `close` was called and its first work is complete. */
  readonly isClosed: boolean;
  /** Closes all connections that were opened here; a client of the caller stays open. */
  close(): Promise<void>;
}

/**
 * Connects, with settings that prevent a call from being sent twice: the client resends, queues and batches nothing.
 *
 * @param mostMs longest time to connect, if `connectTimeoutMs` is longer
 * @throws ConnectError with the address and the cause if it cannot connect
 * @throws ContractError if an option is invalid
 */
export async function openConnection(
  options: ConnectionOptions & { readonly namespace?: string } = {},
  mostMs = Number.POSITIVE_INFINITY,
): Promise<Connection> {
  checkConnection(options);
  const logger = options.logger ?? silentLogger;
  const defaults = callDefaults(options);
  const { client: adopted, namespace } = options;
  if (adopted !== undefined) return adopt(adopted, namespace, logger, defaults);
  const parsed = parseAddress(options.url ?? DEFAULT_URL);
  const address = { ...parsed, database: options.database ?? parsed.database };
  checkDatabase(address.database, namespace);
  const settings = settingsFor(address, options);
  const text = addressText(address);
  const limitMs = Math.min(options.connectTimeoutMs ?? DEFAULT_CONNECT_MS, mostMs);
  const opened = new OpenClients((purpose, onDial) =>
    dial(settingsOfPurpose(settings, purpose), text, limitMs, logger, onDial),
  );
  const client = await opened.open("");
  if (settings.sentinels !== undefined) {
    opened.onClose(watchFailover(settings, logger, () => opened.reconnect()));
  }
  return connectionOf(client, text, logger, defaults, opened);
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
  const further = { ...client.options, ...SEND_ONCE };
  const opened = new OpenClients((purpose, onDial) =>
    dial(settingsOfPurpose(further, purpose), address, connectTimeout, logger, onDial),
  );
  return connectionOf(client, address, logger, defaults, opened);
}

function connectionOf(
  client: Valkey,
  address: string,
  logger: Logger,
  defaults: CallDefaults,
  opened: OpenClients,
): Connection {
  const clock = new ServerClock(client);
  let epoch = 0;
  const forget = (): void => clock.forget(); // another server may answer at this address
  const renew = (): void => {
    epoch += 1;
    forget();
  };
  client.on("ready", renew);
  const readiness = new Readiness(client);
  const open = async (purpose: string): Promise<Valkey> => {
    if (opened.isClosed) throw new ClosedError();
    // A failure after `close` has no other cause than `close`.
    const further = await opened.open(purpose).catch((error: unknown) => {
      throw opened.isClosed ? new ClosedError() : error;
    });
    if (opened.isClosed) throw new ClosedError();
    return further;
  };
  const line = durableLine(async () => {
    const further = await open(DURABLE);
    further.on("ready", forget);
    const own = new Readiness(further);
    return { client: further, untilReady: (deadline) => own.untilReady(deadline) };
  });
  const inFlight = new InFlight(defaults.maxInFlight, defaults.timeoutMs);
  const order = new EntityOrder();
  const works = new Set<() => Promise<void>>();
  let isClosing = false;
  return {
    client,
    address,
    logger,
    ...defaults,
    clock,
    positions: new Positions(client, () => readiness.verify()),
    inFlight,
    order,
    untilReady: (deadline) => readiness.untilReady(deadline),
    guard: (check) => readiness.guard(check),
    verify: () => readiness.verify(),
    fail: (error) => readiness.fail(error),
    get isReady() {
      return readiness.isReady;
    },
    durable: line,
    open,
    beforeClose: (work) => {
      if (isClosing) void work().catch(() => {});
      else works.add(work);
      return () => void works.delete(work);
    },
    get epoch() {
      return epoch;
    },
    get isClosed() {
      return opened.isClosed;
    },
    close: async () => {
      isClosing = true;
      if (works.size > 0) await Promise.allSettled([...works].map((work) => work()));
      client.off("ready", renew);
      opened.close();
      readiness.close();
      order.close();
      inFlight.close();
    },
  };
}
