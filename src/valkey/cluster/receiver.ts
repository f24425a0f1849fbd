import type { Valkey } from "iovalkey";
import type { Server, ToServer } from "../connection.js";
import { ASKING, DURABLE } from "../connection-options.js";
import { durableLine } from "../durable-line.js";
import { Readiness } from "../readiness.js";
import { sendAsking } from "./redirections.js";

/**
 * Opens connections for calls about slots that a server receives, which it serves only after ASKING.
 *
 * @throws ConnectError if it cannot be reached
 */
export async function openReceiver({ clock, inFlight, open }: ToServer): Promise<Server> {
  const openAsking = async (purpose: string): Promise<Valkey> => {
    const client = await open(purpose);
    sendAsking(client);
    return client;
  };
  const durable = durableLine(async () => {
    const client = await openAsking(DURABLE);
    const readiness = new Readiness(client);
    return { client, untilReady: (deadline) => readiness.untilReady(deadline) };
  });
  return { client: await openAsking(ASKING), clock, inFlight, durable };
}
