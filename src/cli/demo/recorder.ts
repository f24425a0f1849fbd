import { type Connection, hangUp } from "../../valkey/connection.js";
import { channelOf, type MachineLocation } from "../../valkey/keys.js";

/** Everything that is published on a machine's channel, from the start of the recording on, as the bytes came. */
export interface Recording {
  readonly texts: readonly string[];
  /** Settles when all that was published before this call has been recorded. */
  settle(): Promise<void>;
  stop(): void;
}

/** Starts to record; what is published once this has settled is in the recording. */
export async function record(connection: Connection, place: MachineLocation): Promise<Recording> {
  const client = await connection.open("recorder");
  const channel = channelOf(place);
  const texts: string[] = [];
  client.on("message", (_channel: string, text: string) => texts.push(text));
  try {
    await client.subscribe(channel);
  } catch (error) {
    hangUp(client);
    throw error;
  }
  return {
    texts,
    // A server answers one connection in order, so the answer to this comes behind all messages before it.
    settle: async () => void (await client.subscribe(channel)),
    stop: () => hangUp(client),
  };
}
