import type { Cluster, Valkey } from "iovalkey";

/** Start of a text that no change has. */
const MARKER = "marker ";

/** Everything that was published on a channel since the recording began, as the bytes arrived. */
export interface Recording {
  readonly texts: readonly string[];
  /** Settles when everything that was published before this call has been recorded. */
  settle(): Promise<void>;
  stop(): void;
}

/**
 * Records what is published on a channel, by any server. Settles when the server has confirmed the subscription.
 *
 * @param server where to subscribe
 * @param client all servers
 */
export async function record(server: Valkey, client: Valkey | Cluster, channel: string): Promise<Recording> {
  const subscriber = server.duplicate({ connectionName: "latchkey-demo-recorder", lazyConnect: false });
  subscriber.on("error", () => {});
  const texts: string[] = [];
  const awaited = new Map<string, () => void>();
  subscriber.on("message", (_channel: string, text: string) => {
    if (text.startsWith(MARKER)) awaited.get(text)?.();
    else texts.push(text);
  });
  await subscriber.subscribe(channel);
  return {
    texts,
    // What a server publishes arrives in order: its marker comes after all earlier messages.
    settle: async () => {
      const servers = "nodes" in client ? client.nodes("all") : [client];
      const markers = servers.map(async (one, at) => {
        const arrival = new Promise<void>((resolve) => awaited.set(`${MARKER}${at}`, resolve));
        const isSent = await one.publish(channel, `${MARKER}${at}`).then(
          () => true,
          () => false, // a server that was killed
        );
        if (isSent) await arrival;
      });
      await Promise.all(markers);
    },
    stop: () => subscriber.disconnect(),
  };
}
