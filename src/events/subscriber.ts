import type { Valkey } from "iovalkey";
import { type Change, parseChange } from "../contract/document.js";
import { ClosedError } from "../errors/closed-error.js";
import { connectError } from "../valkey/connect-error.js";
import type { Connection } from "../valkey/connection.js";
import { DEFAULT_SILENCE_MS, SUBSCRIBE } from "../valkey/connection-options.js";
import { safeMessage } from "../valkey/failure.js";
import { channelOf, type MachineLocation } from "../valkey/keys.js";
import { clearInterval, pause, setInterval } from "../valkey/real-time.js";
import { SharedClient, type SharedClientUser } from "../valkey/shared-client.js";

/** Receives the changes of one machine as they are published. */
export interface Member extends SharedClientUser {
  onChange(change: Change): void;
  /** Called after an interruption: changes may have been missed, and later ones are delivered again. */
  onMissed(): void;
}

const RETRY_PAUSE_MS = 500;

interface Channel {
  readonly name: string;
  readonly machine: string;
  /** The value is true if the member has joined, so that it must learn of an interruption. */
  readonly members: Map<Member, boolean>;
  isSubscribed: boolean;
}

const subscribers = new WeakMap<Connection, Subscriber>();

/** Delivers published changes to any number of members, of all machines, over one connection per client. */
export class Subscriber {
  readonly #connection: Connection;
  readonly #shared: SharedClient;
  readonly #channels = new Map<string, Channel>();
  #client: Valkey | undefined;

  private constructor(connection: Connection) {
    this.#connection = connection;
    this.#shared = new SharedClient(connection, SUBSCRIBE, (client) => this.#listen(client));
  }

  /** Returns the subscriber of a client. */
  static of(connection: Connection): Subscriber {
    const subscriber = subscribers.get(connection) ?? new Subscriber(connection);
    subscribers.set(connection, subscriber);
    return subscriber;
  }

  /**
   * Adds a member. Settles as soon as every later change is delivered to it.
   *
   * @throws ConnectError if no connection is possible within the time limit of a call, or the user may not subscribe;
   * ClosedError if latchkey is closed
   */
  async join(location: MachineLocation, member: Member): Promise<void> {
    const { machine } = location;
    const name = channelOf(location);
    const channel = this.#channels.get(name) ?? { name, machine, members: new Map(), isSubscribed: false };
    this.#channels.set(name, channel);
    channel.members.set(member, false);
    try {
      await this.#shared.use(member, async (client) => {
        if (!channel.isSubscribed) await this.#begin(client, channel);
        channel.members.set(member, true);
      });
    } catch (error) {
      this.leave(location, member);
      throw error;
    }
  }

  /** Removes a member. It receives nothing more. */
  leave(location: MachineLocation, member: Member): void {
    const channel = this.#channels.get(channelOf(location));
    if (channel?.members.delete(member) === true && channel.members.size === 0) {
      this.#channels.delete(channel.name);
      // Without the permission, further messages are ignored.
      if (this.#channels.size > 0) this.#client?.unsubscribe(channel.name).catch(() => {});
    }
    this.#shared.leave(member);
  }

  /** Subscribes for new members. @throws ConnectError if that fails */
  async #begin(client: Valkey, channel: Channel): Promise<void> {
    try {
      await this.#subscribe(client, channel);
    } catch (error) {
      // The client's own error contains the command that was sent.
      throw this.#connection.isClosed ? new ClosedError() : connectError(this.#connection.address, [error]);
    }
  }

  async #subscribe(client: Valkey, channel: Channel): Promise<void> {
    await client.subscribe(channel.name);
    if (channel.isSubscribed || client !== this.#client) return;
    channel.isSubscribed = true;
    for (const [member, hasJoined] of channel.members) if (hasJoined) member.onMissed();
  }

  #listen(client: Valkey): void {
    const connection = this.#connection;
    this.#client = client;
    // The first message may arrive together with the reply to SUBSCRIBE.
    client.on("message", (name, text: string) => this.#deliver(name, text));
    client.on("close", () => {
      if (client !== this.#client) return;
      for (const channel of this.#channels.values()) channel.isSubscribed = false;
    });
    const resubscribe = (onFailure: (channel: string, error: unknown) => void): void => {
      for (const channel of this.#channels.values())
        this.#subscribe(client, channel).catch((error: unknown) => onFailure(channel.name, error));
    };
    client.on("ready", () =>
      resubscribe((channel, error) => {
        // The next "ready" or the next pulse retries.
        if (!connection.isClosed)
          connection.logger.warn({ channel, error: safeMessage(error) }, "could not subscribe again");
      }),
    );
    // A quiet subscription looks like a frozen server. Subscribing again changes nothing and needs no further permission,
    // unlike PING. If no reply arrives, the client's own timeout closes the connection.
    const everyMs = Math.ceil((client.options.socketTimeout ?? DEFAULT_SILENCE_MS) / 2);
    const pulse = setInterval(() => {
      if (client.status === "ready") resubscribe(() => {}); // a lost connection is handled by its "close" and "ready"
    }, everyMs);
    client.once("end", () => {
      clearInterval(pulse);
      if (client === this.#client) void this.#moveOn();
    });
  }

  /** Subscribes at another server, after that of this connection has left its cluster. */
  async #moveOn(): Promise<void> {
    const keeper = {};
    while (this.#channels.size > 0 && !this.#connection.isClosed && !this.#connection.isEnded) {
      try {
        await this.#shared.use(keeper, (client) =>
          Promise.all([...this.#channels.values()].map((channel) => this.#subscribe(client, channel))),
        );
        return this.#shared.leave(keeper);
      } catch (error) {
        if (this.#connection.isClosed) return;
        this.#connection.logger.warn({ error: safeMessage(error) }, "could not subscribe again");
        await pause(RETRY_PAUSE_MS, undefined, { ref: false });
      }
    }
  }

  #deliver(name: string, text: string): void {
    const channel = this.#channels.get(name);
    if (channel === undefined || this.#connection.isClosed) return; // closing a connection takes a moment
    const change = parseChange(channel.machine, text);
    if (typeof change !== "string") for (const member of channel.members.keys()) member.onChange(change);
    // Any client may publish on a channel.
    else
      this.#connection.logger.warn(
        { channel: name, problem: change },
        "ignored a message that is not a change",
      );
  }
}
