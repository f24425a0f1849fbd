import { ConnectError, connectError } from "../valkey/connect-error.js";
import type { Connection } from "../valkey/connection.js";
import { DEFAULT_SILENCE_MS, SUBSCRIBE } from "../valkey/connection-options.js";
import { reportListener, tell } from "../valkey/failed-listener.js";
import { safeMessage } from "../valkey/failure.js";
import { channelOf, type Place } from "../valkey/keys.js";
import { hangUp } from "../valkey/open-clients.js";

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
   * off for reading too slowly, and is there again. It listens again by then, so what is read now, or comes later,
   * leaves nothing out.
   */
  readonly onMissed?: () => void;
}

/**
 * Hears changes as they are published. A hint, cheap and at most once: what is published while the connection is down
 * is not heard. The event log is the truth.
 *
 * A failing listener is logged as an error; where no logger was given it is a process warning, `LATCHKEY_LISTENER`.
 *
 * @throws ConnectError when no connection can be made, or this user may not subscribe.
 */
export async function subscribe<C>(
  connection: Connection,
  place: Place,
  read: (text: string) => C,
  listener: Listener<C>,
  { onMissed }: SubscribeOptions = {},
): Promise<Subscription> {
  const client = await connection.open(SUBSCRIBE);
  let isOpen = true;
  client.on("message", (channel: string, text: string) => {
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
  });
  const channel = channelOf(place);
  try {
    await client.subscribe(channel);
  } catch (error) {
    hangUp(client);
    // The client's own error holds what was sent.
    if (connection.isClosed) throw new ConnectError(connection.address, "ended");
    throw connectError(connection.address, [error]);
  }
  client.on("ready", () => {
    client.subscribe(channel).then(
      () => {
        if (isOpen) tell(connection.logger, `for what was missed on ${channel}`, onMissed, undefined);
      },
      (error: unknown) => {
        // Lost once more: the next time it is ready, it comes here again.
        if (isOpen && !connection.isClosed)
          connection.logger.warn({ channel, error: safeMessage(error) }, "could not subscribe again");
      },
    );
  });
  // A subscription is silent by nature, as a frozen server is. To subscribe once more changes nothing, is answered, and
  // takes no right that PING would: where the answer fails to come, the client's own time limit ends the connection.
  const everyMs = Math.ceil((client.options.socketTimeout ?? DEFAULT_SILENCE_MS) / 2);
  const pulse = setInterval(() => {
    if (client.status === "ready") client.subscribe(channel).catch(() => {}); // seen by the loss of the connection
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

async function hear<C>(listener: Listener<C>, change: C): Promise<void> {
  await listener(change);
}
