import { ConnectError, connectError } from "../valkey/connect-error.js";
import type { Connection } from "../valkey/connection.js";
import { reportListener } from "../valkey/failed-listener.js";
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
): Promise<Subscription> {
  const client = await connection.open("subscribe");
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
    client.subscribe(channel).catch((error: unknown) => {
      // Lost once more: the next time it is ready, it comes here again.
      if (isOpen && !connection.isClosed)
        connection.logger.warn({ channel, error: safeMessage(error) }, "could not subscribe again");
    });
  });
  return {
    close: async () => {
      isOpen = false;
      hangUp(client);
    },
  };
}

async function hear<C>(listener: Listener<C>, change: C): Promise<void> {
  await listener(change);
}
