import type { Valkey } from "iovalkey";
import type { DurabilityNeed } from "../contract/durability.js";
import type { LatchkeyError } from "../errors/latchkey-error.js";
import type { Deadline } from "./deadline.js";
import type { DurableLine } from "./durable-line.js";
import type { EntityOrder } from "./entity-order.js";
import type { InFlight } from "./in-flight.js";
import type { Logger } from "./logger.js";
import type { Place } from "./place.js";
import type { Positions } from "./positions.js";
import type { ConnectionCheck } from "./readiness.js";
import type { ServerClock } from "./server-clock.js";

/** A server, as one attempt at a call needs it. */
export interface Server {
  readonly client: Valkey;
  /** Estimate of the server's clock, discarded after every loss of the connection. */
  readonly clock: ServerClock;
  /** Limits the calls in flight; what exceeds the limit waits in this process. */
  readonly inFlight: InFlight;
  /**
   * Returns the connection for changes that wait for acknowledgements, when it is ready.
   *
   * @throws OfflineError if it is not ready in time
   */
  durable(deadline: Deadline): Promise<DurableLine>;
}

/** The connection to one server, with what its calls share. */
export type ToServer = Connection & Server;

/** Reads from a replica. */
export interface ReplicaReads {
  /**
   * Asks a replica once, for at most half of the time that is left.
   *
   * @returns the answer in a list; undefined if the primary has to be asked
   */
  ask<T>(
    question: (client: Valkey, server: Server) => Promise<T>,
    until: Deadline,
  ): Promise<readonly [T] | undefined>;
}

/**
 * A connection to one server, which can open more with the same settings. In a cluster, the connection to whichever server
 * holds a slot at the moment: `client` and the like are that server's.
 */
export interface Connection {
  /** Returns the connection to the server that holds a key: itself, unless the servers are a cluster. */
  of(key: string): Connection;
  /**
   * The connection to the server that holds the slot now.
   *
   * @throws OfflineError if none is known
   */
  readonly server: ToServer;
  /**
   * Returns the connection to the server that holds the slot, when it is ready.
   *
   * @throws ConnectError if it is not ready within the timeout of a call
   */
  findServer(): Promise<ToServer>;
  /** Returns the connections to all servers that hold keys, as far as they are known. */
  servers(): readonly ToServer[];
  /**
   * Returns the connections to all servers that hold keys at present, when all of them are ready.
   *
   * @throws OfflineError if one is not ready in time
   */
  readyServers(deadline: Deadline): Promise<readonly ToServer[]>;
  /** Returns the connections to those servers that can be reached. Waits for one attempt to connect to each. */
  reachableServers(): Promise<readonly ToServer[]>;
  readonly isCluster: boolean;
  /**
   * Returns the server that receives a slot, after a reply ASK. Undefined for other errors.
   *
   * @param client the one that got the reply
   * @throws ConnectError, OfflineError if that server cannot be reached
   */
  receiver(error: unknown, client: Valkey): Promise<Server> | undefined;
  readonly client: Valkey;
  /** The server, without credentials. In a cluster, its nodes as they were given for calls that concern no key. */
  readonly address: string;
  /** The server and the slot, for errors. */
  readonly place: Place;
  readonly logger: Logger;
  /** Name in CLIENT LIST. */
  readonly connectionName: string;
  /** Longest silence of a server while calls wait, in ms. */
  readonly silenceMs: number;
  /** Default timeout of a call, in ms. */
  readonly timeoutMs: number;
  /** Default acknowledgements of a change. */
  readonly durability: DurabilityNeed;
  /** Returns the actor of a change whose call names none. */
  readonly actor: () => string | undefined;
  /** Positions of the event logs, as known from replies. */
  readonly positions: Positions;
  /** Order of the changes of each entity. */
  readonly order: EntityOrder;
  /** A replica of the server, for reads that may be outdated; undefined while no server is known. */
  readonly replica: ReplicaReads | undefined;
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
   * @throws ConnectError if it cannot be opened or the server has left the cluster, ClosedError if `close` was called before or meanwhile
   */
  open(purpose: string): Promise<Valkey>;
  /** Adds work that `close` does first; runs it at once if `close` has begun. @returns a function that removes it */
  beforeClose(work: () => Promise<void>): () => void;
  /** True if the connection has ended for good, also without `close`. */
  readonly isEnded: boolean;
  /** True after `close` was called and its first work is complete. */
  readonly isClosed: boolean;
  /** Closes all connections that were opened here; a client of the caller stays open. */
  close(): Promise<void>;
}
