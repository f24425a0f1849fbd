import { randomBytes } from "node:crypto";
import { Valkey } from "iovalkey";
import type { Credentials } from "./messages.js";

const BATCH = 500;

/** Creates the name of a namespace that nobody else uses. */
export function freshNamespace(): string {
  return `demo-${randomBytes(6).toString("hex")}`;
}

/** Rewrites `valkey://` and `valkeys://` to the schemes that every Redis client knows. */
export function plainUrl(url: string): string {
  return url.replace(/^valkey/, "redis");
}

/** Everything that was published on the machine's channel since the recording began, as the bytes arrived. */
export interface Recording {
  readonly texts: readonly string[];
  /** Settles when everything that was published before this call has been recorded. */
  settle(): Promise<void>;
  stop(): void;
}

/**
 * Watches the agents of one namespace from outside: with plain Valkey commands on connections of its own, which share
 * no code with the replicas. Keys and channel are those of the protocol page, lua/README.md.
 */
export class Observer {
  /** The server's URL without credentials. */
  readonly address: string;
  readonly client: Valkey;
  readonly #namespace: string;
  readonly #partitions: number;

  private constructor(client: Valkey, address: string, namespace: string, partitions: number) {
    this.client = client;
    this.address = address;
    this.#namespace = namespace;
    this.#partitions = partitions;
  }

  /** Connects to the server of a namespace. Rejects if the server cannot be reached. */
  static async connect(
    { url, password }: Credentials,
    namespace: string,
    partitions: number,
  ): Promise<Observer> {
    const client = new Valkey(plainUrl(url), {
      lazyConnect: true,
      connectionName: "latchkey-demo-observer",
      retryStrategy: () => null,
      ...(password !== undefined && { password }),
    });
    client.on("error", () => {}); // the command that fails reports it
    await client.connect();
    const { protocol, host } = new URL(url);
    return new Observer(client, `${protocol}//${host}`, namespace, partitions);
  }

  /** Starts to record what is published. Settles when the subscription is active. */
  async record(channel = `${this.#namespace}:agent:events`): Promise<Recording> {
    const client = this.client.duplicate({ connectionName: "latchkey-demo-recorder", lazyConnect: false });
    client.on("error", () => {});
    const texts: string[] = [];
    client.on("message", (_channel: string, text: string) => texts.push(text));
    await client.subscribe(channel);
    return {
      texts,
      // A server answers one connection in order: this reply comes after all earlier messages.
      settle: async () => void (await client.subscribe(channel)),
      stop: () => client.disconnect(),
    };
  }

  /** Reads the whole event log: the documents' texts, oldest first in each partition. */
  async readLog(): Promise<string[]> {
    const logs = await Promise.all(
      this.#partitionKeys("agent:events").map((key) => this.client.xrange(key, "-", "+")),
    );
    return logs.flat().map(([, fields]) => fields[1] ?? "");
  }

  /** Removes what the demo wrote. It names every key and uses no pattern, so it cannot remove anything else. */
  async removeKeys(ids: readonly string[]): Promise<void> {
    const kinds = [...ids.flatMap((id) => [`id:${id}`, `log:${id}`]), "machine", "index", "due", "events"];
    const names = [...kinds.map((kind) => `agent:${kind}`), "machines"];
    const keys = [...names.flatMap((name) => this.#partitionKeys(name)), `{${this.#namespace}}:meta`];
    for (let at = 0; at < keys.length; at += BATCH) await this.client.unlink(...keys.slice(at, at + BATCH));
  }

  async close(): Promise<void> {
    this.client.disconnect();
  }

  #partitionKeys(name: string): string[] {
    return Array.from(
      { length: this.#partitions },
      (_, partition) => `{${this.#namespace}:${partition}}:${name}`,
    );
  }
}
