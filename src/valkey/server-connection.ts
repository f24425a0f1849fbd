import type { Socket } from "node:net";
import type { Valkey } from "iovalkey";
import { ConnectError } from "../errors/connect-error.js";
import type { LatchkeyError } from "../errors/latchkey-error.js";
import { hostText } from "./address.js";
import { ClosingWork } from "./closing-work.js";
import type { ToServer } from "./connection.js";
import type { CallDefaults } from "./connection-checks.js";
import { DEFAULT_CONNECTION_NAME, DEFAULT_SILENCE_MS, DURABLE, REPLICA } from "./connection-options.js";
import { durableLine } from "./durable-line.js";
import { EntityOrder } from "./entity-order.js";
import { OfflineError } from "./failure.js";
import { InFlight } from "./in-flight.js";
import type { Logger } from "./logger.js";
import type { OpenClients } from "./open-clients.js";
import { Positions } from "./positions.js";
import { Readiness } from "./readiness.js";
import { Replica } from "./replica.js";
import { ServerClock } from "./server-clock.js";

/** A connection to one server, which can leave its cluster. */
export interface ServerConnection extends ToServer {
  /** Closes all connections that were opened here, although latchkey stays open. Calls may go on at another server. */
  retire(): void;
  /** Runs the check of `guard` now. @param isNew true if it is the first one of this connection */
  verify(isNew?: boolean): Promise<void>;
}

/** Makes the connection to one server from its main client. */
export function serverConnection(
  client: Valkey,
  address: string,
  logger: Logger,
  defaults: CallDefaults,
  opened: OpenClients,
): ServerConnection {
  const clock = new ServerClock(client);
  let epoch = 0;
  const forget = (): void => clock.forget(); // another server may answer at this address
  const renew = (): void => {
    epoch += 1;
    forget();
  };
  client.on("ready", renew);
  const readiness = new Readiness(client);
  const line = durableLine(async () => {
    const further = await opened.open(DURABLE);
    further.on("ready", forget);
    const own = new Readiness(further);
    return { client: further, untilReady: (deadline) => own.untilReady(deadline) };
  });
  const inFlight = new InFlight(defaults.maxInFlight, defaults.timeoutMs);
  const order = new EntityOrder();
  const replica = new Replica({
    primary: client,
    logger,
    open: (place) => opened.open(REPLICA, place),
    connect: (further) => serverConnection(further, remoteText(further), logger, defaults, opened),
    isEnded: () => opened.isClosed || readiness.hasFailed,
  });
  const closing = new ClosingWork();
  let isClosed = false;
  const end = (ofOpen?: LatchkeyError, ofCalls?: Error): void => {
    client.off("ready", renew);
    opened.close(ofOpen);
    readiness.close(ofCalls);
    order.close();
    inFlight.close(ofCalls);
  };
  const connection: ServerConnection = {
    of: () => connection,
    get server() {
      return connection;
    },
    findServer: async () => connection,
    servers: () => [connection],
    readyServers: async (deadline) => {
      await readiness.untilReady(deadline);
      return [connection];
    },
    reachableServers: async () => [connection],
    isCluster: false,
    receiver: () => undefined,
    client,
    address,
    get place() {
      return { server: address, error: readiness.error };
    },
    logger,
    connectionName: client.options.connectionName ?? DEFAULT_CONNECTION_NAME,
    silenceMs: client.options.socketTimeout ?? DEFAULT_SILENCE_MS,
    ...defaults,
    clock,
    positions: new Positions(
      () => client,
      () => readiness.verify(),
    ),
    inFlight,
    order,
    replica,
    untilReady: (deadline) => readiness.untilReady(deadline),
    guard: (check) => readiness.guard(check),
    verify: (isNew) => readiness.verify(isNew),
    fail: (error) => readiness.fail(error),
    get isReady() {
      return readiness.isReady;
    },
    durable: line,
    open: (purpose) => opened.open(purpose),
    beforeClose: (work) => closing.add(work),
    get epoch() {
      return epoch;
    },
    get isClosed() {
      return isClosed;
    },
    get isEnded() {
      return opened.isClosed || client.status === "end";
    },
    close: async () => {
      await closing.run();
      isClosed = true;
      end();
    },
    retire: () => end(new ConnectError(address, "closed"), new OfflineError()),
  };
  return connection;
}

/** Returns the address that a client is connected to. */
function remoteText({ stream }: Valkey): string {
  const { remoteAddress = "", remotePort = 0 } = stream as Socket;
  return hostText(remoteAddress, remotePort);
}
