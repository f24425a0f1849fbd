import type { Valkey } from "iovalkey";
import { ConnectError } from "../errors/connect-error.js";
import type { Connection } from "./connection.js";
import type { Deadline } from "./deadline.js";
import { hangUp, untilReadyOrEnded } from "./open-clients.js";
import { openInTime } from "./open-in-time.js";

/** Uses a shared connection. */
export interface SharedClientUser {
  /** Called when the connection has ended for good. */
  onEnd?(): void;
}

/** A further connection for one purpose. It is open while it has users, and all of them share it. */
export class SharedClient {
  readonly #connection: Connection;
  readonly #purpose: string;
  readonly #prepare: (client: Valkey) => void;
  readonly #users = new Set<SharedClientUser>();
  #opening: Promise<Valkey> | undefined;
  #turn: Promise<void> | undefined;

  /** @param prepare called with each connection that was opened, before its first user gets it */
  constructor(connection: Connection, purpose: string, prepare: (client: Valkey) => void = () => {}) {
    this.#connection = connection;
    this.#purpose = purpose;
    this.#prepare = prepare;
  }

  /**
   * Adds a user, and returns the result of its first work with the connection. Retries the work for the timeout of a call
   * if it throws a ConnectError that may pass. Call {@link leave} afterwards, unless this throws.
   *
   * @throws the error of the last attempt
   */
  async use<T>(
    user: SharedClientUser,
    begin: (client: Valkey) => Promise<T>,
    isWanted?: () => boolean,
  ): Promise<T> {
    this.#users.add(user);
    try {
      return await openInTime(
        this.#connection,
        async (deadline) => begin(await this.#ready(deadline)),
        isWanted,
      );
    } catch (error) {
      this.leave(user);
      throw error;
    }
  }

  /** Removes a user. Closes the connection after the last one. */
  leave(user: SharedClientUser): void {
    if (!this.#users.delete(user) || this.#users.size > 0) return;
    this.#opening?.then(hangUp, () => {});
    this.#opening = undefined;
  }

  /** Waits until the connection is ready again or has ended. All users share one listener. */
  async untilReady(client: Valkey): Promise<void> {
    if (client.status === "ready" || client.status === "end") return;
    this.#turn ??= untilReadyOrEnded(client).then(() => {
      this.#turn = undefined;
    });
    await this.#turn;
  }

  async #ready(deadline: Deadline): Promise<Valkey> {
    this.#opening ??= this.#open();
    const client = await this.#opening;
    const late = new ConnectError(this.#connection.address, "timeout");
    await deadline.race(this.untilReady(client)).catch(() => Promise.reject(late));
    return client;
  }

  #open(): Promise<Valkey> {
    const forget = (): void => {
      if (this.#opening === opening) this.#opening = undefined;
    };
    const opening = this.#connection.open(this.#purpose).then((client) => {
      this.#prepare(client);
      client.once("end", () => {
        forget();
        for (const user of this.#users) user.onEnd?.();
      });
      return client;
    });
    opening.catch(forget);
    return opening;
  }
}
