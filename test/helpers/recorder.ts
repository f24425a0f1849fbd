import type { Valkey } from "iovalkey";
import { onTestFinished } from "vitest";

/** Takes down what is published on a channel. */
export interface Recorder {
  /** Everything published until now, oldest first. */
  published(): Promise<string[]>;
}

/**
 * Records a channel until the test has finished. No waiting by the clock: a marker is published on a channel of its
 * own, and a server hands messages to one subscriber in the order in which they were published.
 */
export async function record(valkey: Valkey, channel: string): Promise<Recorder> {
  const subscriber = valkey.duplicate();
  onTestFinished(() => subscriber.disconnect());
  const marker = `${channel}:recorded`;
  const messages: string[] = [];
  const waiting: (() => void)[] = [];
  subscriber.on("message", (from: string, message: string) => {
    if (from === channel) messages.push(message);
    else waiting.shift()?.();
  });
  await subscriber.connect();
  await subscriber.subscribe(channel, marker);
  return {
    async published() {
      const marked = new Promise<void>((resolve) => void waiting.push(resolve));
      await valkey.publish(marker, "");
      await marked;
      return [...messages];
    },
  };
}
