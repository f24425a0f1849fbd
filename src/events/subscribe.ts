import type { Connection } from "../valkey/connection.js";
import { channelOf, type Place } from "../valkey/keys.js";
import { hangUp } from "../valkey/open-clients.js";

/** A running subscription. */
export interface Subscription {
  /** Ends it; no listener call follows. */
  close(): Promise<void>;
}

/**
 * Hears changes as they are published. A hint, cheap and at most once: what is published while the connection is down
 * is not heard. The event log is the truth.
 *
 * @param listener called for each change; must not throw
 * @throws ConnectError when no connection can be made.
 */
export async function subscribe<C>(
  connection: Connection,
  place: Place,
  read: (text: string) => C,
  listener: (change: C) => void,
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
    listener(change);
  });
  try {
    await client.subscribe(channelOf(place));
  } catch (error) {
    hangUp(client);
    throw error;
  }
  return {
    close: async () => {
      isOpen = false;
      hangUp(client);
    },
  };
}
