import type { Valkey } from "iovalkey";
import { ConnectError } from "../errors/connect-error.js";
import { connectError } from "../valkey/connect-error.js";
import type { Connection } from "../valkey/connection.js";
import { DEFAULT_SILENCE_MS, SUBSCRIBE } from "../valkey/connection-options.js";
import { reportListener, tell } from "../valkey/failed-listener.js";
import { safeMessage } from "../valkey/failure.js";
import { channelOf, type MachineLocation } from "../valkey/keys.js";
import { hangUp } from "../valkey/open-clients.js";
import { openInTime } from "../valkey/open-in-time.js";

/** A running subscription. */
export interface Subscription {
  /** Ends it; no listener call follows. */
  close(): Promise<void>;
}

/** Called for each change heard. What it throws, or rejects with, is reported, and the next change comes all the same. */
export type Listener<C> = (change: C) => void | Promise<void>;

/** Options of a subscription. */
export interface SubscribeOptions {
  /**
   * Called when changes may have been missed: the connection was lost, or given up because the server froze or cut it
   * off for reading too slowly, and it listens again, however often that failed before. So what is read now, or comes
   * later, leaves nothing out.
   */
  readonly onMissed?: () => void;
}

/**
 * Hears changes as they are published. A hint, cheap and at most once: what is published while the connection is down
 * is not heard. The event log is the truth.
 *
 * A failing listener is logged as an error; where no logger was given it is a process warning, `LATCHKEY_LISTENER`.
 *
 * @throws ConnectError when no connection can be made within the time of a call, or this user may not subscribe.
 */
export async function subscribe<C>(
  connection: Connection,
  location: MachineLocation,
  read: (text: string) => C,
  listener: Listener<C>,
  { onMissed }: SubscribeOptions = {},
): Promise<Subscription> {
  const channel = channelOf(location);
  let isOpen = true;
  const take = (text: string): void => {
    if (!isOpen) return;
    let change: C;
    try {
      change = read(text);
    } catch {
      // Anyone may publish on a channel.
      connection.logger.warn({ channel }, "a message that is no change was ignored");
      return;
    }
    // Never here and now: an error thrown into the client's parser would cost it the messages behind this one.
    void hear(listener, change).catch((error: unknown) =>
      reportListener(connection.logger, `on ${channel}`, error),
    );
  };
  const client = await openInTime(connection, () => listening(connection, channel, take));
  let isInForce = true;
  const listenAgain = async (): Promise<void> => {
    await client.subscribe(channel);
    if (isInForce || !isOpen) return;
    isInForce = true;
    tell(connection.logger, `for what was missed on ${channel}`, onMissed, undefined);
  };
  client.on("close", () => {
    isInForce = false;
  });
  client.on("ready", () => {
    listenAgain().catch((error: unknown) => {
      // Tried again: where it was lost once more, when it is ready the next time, else with the next pulse.
      if (isOpen && !connection.isClosed)
        connection.logger.warn({ channel, error: safeMessage(error) }, "could not subscribe again");
    });
  });
  // A subscription is silent by nature, as a frozen server is. To subscribe once more changes nothing, is answered, and
  // takes no right that PING would: where the answer fails to come, the client's own time limit ends the connection.
  const everyMs = Math.ceil((client.options.socketTimeout ?? DEFAULT_SILENCE_MS) / 2);
  const pulse = setInterval(() => {
    if (client.status === "ready") listenAgain().catch(() => {}); // seen by the loss of the connection, or was told
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

/** A connection that listens on a channel. */
async function listening(
  connection: Connection,
  channel: string,
  take: (text: string) => void,
): Promise<Valkey> {
  const client = await connection.open(SUBSCRIBE);
  client.on("message", (_, text: string) => take(text)); // the first may come along with the answer
  try {
    await client.subscribe(channel);
    return client;
  } catch (error) {
    hangUp(client);
    // The client's own error holds what was sent.
    if (connection.isClosed) throw new ConnectError(connection.address, "ended");
    throw connectError(connection.address, [error]);
  }
}

async function hear<C>(listener: Listener<C>, change: C): Promise<void> {
  await listener(change);
}
