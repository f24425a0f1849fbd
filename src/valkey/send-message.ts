import { ask } from "./ask.js";
import type { Connection } from "./connection.js";

/**
 * Publishes a message on a channel that is not latchkey's own. It is sent again if the reply was lost, so that it may
 * arrive twice.
 *
 * @throws NotExecutedError if the server does not reply within the time limit of a call, or denies the channel
 */
export async function sendMessage(connection: Connection, channel: string, message: string): Promise<void> {
  // Each server of a cluster passes messages on to the subscribers of all others.
  const server = connection.servers().find(({ isReady }) => isReady) ?? connection;
  await ask(server, `publishing on ${channel}`, (client) => client.publish(channel, message));
}
