import { Valkey } from "iovalkey";
import { checkDuration, checkWhole, refuse } from "../contract/arguments.js";
import { checkDurability, type DurabilityNeed } from "../contract/durability.js";
import { ConnectError } from "../errors/connect-error.js";
import { addressText, parseAddress } from "./address.js";
import {
  type ConnectionOptions,
  DEFAULT_CONNECT_MS,
  DURABLE,
  SEND_ONCE,
  settingsFor,
  settingsOfPurpose,
} from "./connection-options.js";
import type { Deadline } from "./deadline.js";
import { dial } from "./dial.js";
import { type DurableLine, durableLine } from "./durable-line.js";
import { watchFailover } from "./failover-watch.js";
import { OfflineError } from "./failure.js";
import { type Logger, silentLogger } from "./logger.js";
import { OpenClients } from "./open-clients.js";
import { ServerClock } from "./server-clock.js";

export type { ConnectionOptions } from "./connection-options.js";
export { hangUp } from "./open-clients.js";

const DEFAULT_URL = "valkey://127.0.0.1:6379";
const DEFAULT_TIMEOUT_MS = 5_000;

/** A connection to one server, and how to make more like it. */
export interface Connection {
  readonly client: Valkey;
  /** The server, without credentials. */
  readonly address: string;
  readonly logger: Logger;
  /** How long a call may take by default, in ms. */
  readonly timeoutMs: number;
  /** What a change waits for by default. */
  readonly durability: DurabilityNeed;
  /**
   * The connection for changes that wait for copies, ready for use.
   *
   * @throws OfflineError when it is not by then.
   */
  durable(deadline: Deadline): Promise<DurableLine>;
  /** What is known of the server's clock; void after every loss of the connection. */
  readonly clock: ServerClock;
  /** How often the connection was made since it is used here: another server may answer each time. */
  readonly epoch: number;
  /**
   * Waits for the connection to be there.
   *
   * @throws OfflineError when it is not by then, or never will be.
   */
  untilReady(deadline: Deadline): Promise<void>;
  /**
   * A further connection with the same settings, for calls that block or subscribe. Close it with {@link hangUp}.
   *
   * @throws ConnectError when it can't be made, or `close` was called before it was.
   */
  open(purpose: string): Promise<Valkey>;
  /** Adds what `close` does first, while there is a connection; does it at once where that has begun. @returns what takes it away again */
  beforeClose(work: () => Promise<void>): () => void;
  /** True once `close` was called, and what goes before it is done. */
  readonly isClosed: boolean;
  /** Closes what was opened, the further connections as well; a client that was handed in stays open. */
  close(): Promise<void>;
}

/**
 * Connects, with the settings that keep a call from being sent twice: the client resends nothing, queues nothing and
 * batches nothing.
 *
 * @throws ConnectError naming the address and the cause when no connection can be made.
 * @throws ContractError if an option is invalid
 */
export async function openConnection(options: ConnectionOptions = {}): Promise<Connection> {
  const logger = options.logger ?? silentLogger;
  const defaults = callDefaults(options);
  if (options.client !== undefined) return adopt(options.client, logger, defaults);
  const address = parseAddress(options.url ?? DEFAULT_URL);
  const settings = settingsFor(address, options);
  const text = addressText(address);
  const limitMs = options.connectTimeoutMs ?? DEFAULT_CONNECT_MS;
  const opened = new OpenClients((purpose) =>
    dial(settingsOfPurpose(settings, purpose), text, limitMs, logger),
  );
  const client = await opened.open("");
  if (settings.sentinels !== undefined) {
    opened.onClose(watchFailover(settings, logger, () => opened.reconnect()));
  }
  return connectionOf(client, text, logger, defaults, opened);
}

/** What calls go by where they say nothing themselves. */
interface CallDefaults {
  readonly timeoutMs: number;
  readonly durability: DurabilityNeed;
}

/** Further than this a timer must not be set: connecting adds a second. */
const LONGEST_MS = 2_147_000_000;

function callDefaults({
  timeout = DEFAULT_TIMEOUT_MS,
  durability = "memory",
  ...limits
}: ConnectionOptions): CallDefaults {
  for (const name of ["connectTimeoutMs", "silenceTimeoutMs"] as const) {
    const ms = limits[name];
    if (ms !== undefined) checkWhole(name, ms, 1, LONGEST_MS);
  }
  return { timeoutMs: checkDuration("timeout", timeout), durability: checkDurability(durability) };
}

function adopt(client: Valkey, logger: Logger, defaults: CallDefaults): Connection {
  if (!(client instanceof Valkey))
    refuse(
      "client must be a Valkey of iovalkey, not a Cluster or another client; `npm ls iovalkey` lists its copies",
    );
  if (client.options.keyPrefix !== undefined && client.options.keyPrefix !== "") {
    refuse(
      "client: keyPrefix rewrites keys but not script arguments; use a client without it and latchkey's `namespace`",
    );
  }
  const {
    host = "localhost",
    port = 6379,
    tls,
    db = 0,
    connectTimeout = DEFAULT_CONNECT_MS,
  } = client.options;
  const address = addressText({ host, port, tls: tls !== undefined, database: db });
  const opened = new OpenClients((purpose) =>
    dial(settingsOfPurpose({ ...client.options, ...SEND_ONCE }, purpose), address, connectTimeout, logger),
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
  const forget = (): void => clock.forget(); // another server may answer at the same address
  const renew = (): void => {
    epoch += 1;
    forget();
  };
  client.on("ready", renew);
  const untilReady = readiness(client, opened);
  const open = async (purpose: string): Promise<Valkey> => {
    if (opened.isClosed) throw new ConnectError(address, "ended");
    const further = await opened.open(purpose);
    if (opened.isClosed) throw new ConnectError(address, "ended");
    return further;
  };
  const line = durableLine(async () => {
    const further = await open(DURABLE);
    further.on("ready", forget);
    return { client: further, untilReady: readiness(further, opened) };
  });
  const works = new Set<() => Promise<void>>();
  let isClosing = false;
  return {
    client,
    address,
    logger,
    ...defaults,
    clock,
    untilReady,
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
    },
  };
}

/** Waits for a client to be ready. Many calls may wait: they share one listener. */
function readiness(client: Valkey, opened: OpenClients): (deadline: Deadline) => Promise<void> {
  let turn: Promise<void> | undefined;
  const nextTurn = (): Promise<void> => {
    turn ??= new Promise<void>((resolve) => {
      const done = (): void => {
        client.off("ready", done).off("end", done);
        turn = undefined;
        resolve();
      };
      client.once("ready", done).once("end", done);
    });
    return turn;
  };
  return async (deadline) => {
    while (client.status !== "ready" || opened.isClosed) {
      if (client.status === "end" || opened.isClosed || deadline.isOver) throw new OfflineError();
      await deadline.race(nextTurn()).catch(() => {}); // the end of the time is seen in the next round
    }
  };
}
