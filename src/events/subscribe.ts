import type { Valkey } from "iovalkey";
import { checkFunctions, checkOptions, refuse, shortText } from "../contract/arguments.js";
import { type Change, parseChange } from "../contract/document.js";
import { ClosedError } from "../errors/closed-error.js";
import { connectError } from "../valkey/connect-error.js";
import type { Connection } from "../valkey/connection.js";
import { DEFAULT_SILENCE_MS, SUBSCRIBE } from "../valkey/connection-options.js";
import { reportListener, tell } from "../valkey/failed-listener.js";
import { safeMessage } from "../valkey/failure.js";
import { channelOf } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { hangUp } from "../valkey/open-clients.js";
import { openInTime } from "../valkey/open-in-time.js";

/** A running subscription. */
export interface Subscription {
  /** Ends the subscription; the listener is not called again. */
  close(): Promise<void>;
}

/** Receives each change. If it throws or rejects, the error is reported and the next change is delivered as usual. */
export type Listener<C> = (change: C) => void | Promise<void>;

/** Options of `subscribe`. */
export interface SubscribeOptions {
  /**
   * Called after the subscription was interrupted and works again: changes may have been missed. The connection was
   * lost, or closed because the server froze or because this client read too slowly. Data read from this call on,
   * together with the changes that follow, is complete.
   */
  readonly onMissed?: () => void;
}

const OPTIONS: readonly (keyof SubscribeOptions)[] = ["onMissed"];

/**
 * Subscribes to changes as they are published: cheap, at most once. Changes published while the connection is down are
 * not delivered. The event log is the truth.
 *
 * A failing listener is logged as an error. Without a logger it becomes a process warning, `LATCHKEY_LISTENER`.
 *
 * @throws ContractError if the listener or an option is invalid.
 * @throws ConnectError if no connection can be made within the time limit of a call, or the user may not subscribe;
 * ClosedError if latchkey is closed.
 */
export async function subscribe<C extends Change>(
  { connection, location }: MachineStore,
  listener: Listener<C>,
  options: SubscribeOptions,
): Promise<Subscription> {
  if (typeof listener !== "function")
    refuse(`the listener must be a function, not ${shortText(listener)}; it is called with each change`);
  checkOptions(options, OPTIONS);
  const { onMissed } = options;
  checkFunctions({ onMissed });
  const channel = channelOf(location);
  let isOpen = true;
  const receive = (text: string): void => {
    if (!isOpen) return;
    const change = parseChange<C>(location.machine, text);
    if (typeof change === "string") {
      // Any client may publish on a channel.
      connection.logger.warn({ channel, problem: change }, "ignored a message that is not a change");
      return;
    }
    // Asynchronous: an error thrown into the client's parser would lose the messages that follow.
    void (async () => listener(change))().catch((error: unknown) =>
      reportListener(connection.logger, `on ${channel}`, error),
    );
  };
  const client = await openInTime(connection, () => openSubscriber(connection, channel, receive));
  let isSubscribed = true;
  const resubscribe = async (): Promise<void> => {
    await client.subscribe(channel);
    if (isSubscribed || !isOpen) return;
    isSubscribed = true;
    tell(connection.logger, `for a gap on ${channel}`, onMissed, undefined);
  };
  client.on("close", () => {
    isSubscribed = false;
  });
  client.on("ready", () => {
    resubscribe().catch((error: unknown) => {
      // The next "ready" or the next pulse retries.
      if (isOpen && !connection.isClosed)
        connection.logger.warn({ channel, error: safeMessage(error) }, "could not subscribe again");
    });
  });
  // A quiet subscription looks like a frozen server. Subscribing again changes nothing and needs no further permission,
  // unlike PING. If no reply arrives, the client's own timeout closes the connection.
  const everyMs = Math.ceil((client.options.socketTimeout ?? DEFAULT_SILENCE_MS) / 2);
  const pulse = setInterval(() => {
    if (client.status === "ready") resubscribe().catch(() => {}); // a lost connection is handled by its "close" and "ready"
  }, everyMs);
  client.once("end", () => clearInterval(pulse));
  return {
    close: async () => {
      isOpen = false;
      clearInterval(pulse);
      hangUp(client);
    },
  };
}

/** Opens a connection that is subscribed to a channel. */
async function openSubscriber(
  connection: Connection,
  channel: string,
  receive: (text: string) => void,
): Promise<Valkey> {
  const client = await connection.open(SUBSCRIBE);
  client.on("message", (_, text: string) => receive(text)); // the first message may arrive together with the reply
  try {
    await client.subscribe(channel);
    return client;
  } catch (error) {
    hangUp(client);
    // The client's own error contains the command that was sent.
    if (connection.isClosed) throw new ClosedError();
    throw connectError(connection.address, [error]);
  }
}
