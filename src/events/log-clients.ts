import type { Valkey } from "iovalkey";
import { ConnectError } from "../errors/connect-error.js";
import { PATIENCE } from "../valkey/ask-each.js";
import { isLastingFailure } from "../valkey/connect-error.js";
import type { Connection } from "../valkey/connection.js";
import { EVENTS } from "../valkey/connection-options.js";
import { Deadline } from "../valkey/deadline.js";
import { openInTime } from "../valkey/open-in-time.js";
import { askFollowing } from "../valkey/retry.js";
import { SharedClient, type SharedClientUser } from "../valkey/shared-client.js";

const sharedClients = new WeakMap<Connection, SharedClient>();

/** Returns the further connection to a server that all readers of this client share. */
function sharedClientOf(server: Connection): SharedClient {
  const shared = sharedClients.get(server) ?? new SharedClient(server, EVENTS);
  sharedClients.set(server, shared);
  return shared;
}

/** The connections of one reader to the servers of an event log. */
export class LogClients {
  readonly #connection: Connection;
  readonly #reader: SharedClientUser;
  readonly #isUnwanted: () => boolean;
  /** Connections to the servers of the partitions, by the main connection to the server. */
  readonly #clients = new Map<Connection, Promise<Valkey>>();
  #isClosed = false;

  /** @param isUnwanted returns true if the caller of the reader has ended */
  constructor(connection: Connection, reader: SharedClientUser, isUnwanted: () => boolean) {
    this.#connection = connection;
    this.#reader = reader;
    this.#isUnwanted = isUnwanted;
  }

  /**
   * Connects to the servers that hold some keys.
   *
   * @param isPatient true if servers of a cluster that cannot be reached soon may follow later
   * @throws ConnectError if no connection can be made within the time limit of a call
   */
  async open(keys: readonly string[], isPatient: boolean): Promise<void> {
    const connect = async (): Promise<void> => {
      const all = keys.map((key) => this.#clientOf(key));
      const opened = Promise.all(all);
      if (!isPatient || !this.#connection.isCluster) return void (await opened);
      const soon = Deadline.in(this.#connection.timeoutMs * PATIENCE);
      await soon.race(opened).catch(() => {});
      const isBroken = keys.some((key) => isLastingFailure(this.#connection.of(key).place.error));
      if (isBroken) await opened;
      await Promise.any(all).catch(() => opened); // throws the error of one of them
    };
    await openInTime(this.#connection, connect, () => !this.#isUnwanted());
  }

  close(): void {
    this.#isClosed = true;
    for (const server of this.#clients.keys()) sharedClientOf(server).leave(this.#reader);
    this.#clients.clear();
  }

  /** Asks the server that holds a key, when it is connected. */
  async ask<T>(key: string, question: (client: Valkey) => Promise<T>): Promise<T> {
    return askFollowing(this.#connection, await this.#clientOf(key), question);
  }

  async #clientOf(key: string): Promise<Valkey> {
    const server = await this.#connection.of(key).findServer();
    if (this.#isClosed) throw new ConnectError(server.address, "closed");
    const shared = sharedClientOf(server);
    const known = this.#clients.get(server);
    if (known !== undefined) {
      const client = await known;
      await shared.untilReady(client);
      if (client.status === "end") this.#clients.delete(server); // its server has left the cluster
      return client;
    }
    const opening = shared.use(
      this.#reader,
      async (client) => client,
      () => !this.#isClosed && !this.#isUnwanted(),
    );
    this.#clients.set(server, opening);
    opening.catch(() => this.#clients.delete(server));
    return opening;
  }
}
