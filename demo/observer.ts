import { randomBytes } from "node:crypto";
import { Cluster, type RedisOptions, Valkey } from "iovalkey";
import { plainUrl, urlParts } from "./address.js";
import { DemoFailure } from "./failure.js";
import type { Credentials } from "./messages.js";
import { type Recording, record } from "./recording.js";

const BATCH = 500;

/** Creates the name of a namespace that nobody else uses. */
export function freshNamespace(): string {
  return `demo-${randomBytes(6).toString("hex")}`;
}

/**
 * Watches the agents of one namespace from outside: with plain Valkey commands on connections of its own, which share
 * no code with the replicas. Keys and channel are those of the protocol page, lua/README.md.
 */
export class Observer {
  /** The server's URL without credentials. */
  readonly address: string;
  /** The first server of the URL. */
  readonly #server: Valkey;
  /** All servers. */
  readonly #client: Valkey | Cluster;
  readonly #credentials: Credentials;
  readonly #namespace: string;
  readonly #partitions: number;

  private constructor(
    server: Valkey,
    client: Valkey | Cluster,
    credentials: Credentials,
    namespace: string,
    partitions: number,
  ) {
    this.#server = server;
    this.#client = client;
    this.address = urlParts(credentials.url).address;
    this.#credentials = credentials;
    this.#namespace = namespace;
    this.#partitions = partitions;
  }

  /** Connects to the server of a namespace. Rejects if the server cannot be reached. */
  static async connect(credentials: Credentials, namespace: string, partitions: number): Promise<Observer> {
    const { url, password } = credentials;
    const server = new Valkey(plainUrl(url), {
      lazyConnect: true,
      connectionName: "latchkey-demo-observer",
      retryStrategy: () => null,
      ...(password !== undefined && { password }),
    });
    server.on("error", () => {}); // the command that fails reports it
    await server.connect();
    const isCluster = (await server.info("cluster").catch(() => "")).includes("cluster_enabled:1");
    const client = isCluster ? clusterOf(url, server.options) : server;
    client.on("error", () => {});
    return new Observer(server, client, credentials, namespace, partitions);
  }

  /** Credentials of the server that holds a key: one node, if it is a cluster. @throws DemoFailure */
  async credentialsFor(key: string): Promise<Credentials> {
    const { url, ...rest } = this.#credentials;
    if (this.#client === this.#server) return this.#credentials;
    const [slot, ranges] = await Promise.all([this.#slotOf(key), this.#server.cluster("SLOTS")]);
    const [, , node] = ranges.find(([first, last]) => first <= slot && slot <= last) ?? [];
    if (node === undefined) throw new DemoFailure("the cluster does not cover all slots");
    const [host, port] = node;
    return { ...rest, url: plainUrl(url, `${host}:${port}`) };
  }

  /** Starts to record what is published. Settles when the server has confirmed the subscription. */
  record(): Promise<Recording> {
    return record(this.#server, this.#client, `${this.#namespace}:agent:events`);
  }

  /**
   * Reads the whole event log: the documents' texts, oldest first in each partition.
   *
   * @param slots the first and the last slot whose partitions to read. @default all
   */
  async readLog(slots?: readonly [number, number]): Promise<string[]> {
    const logs = await Promise.all(
      this.#partitionKeys("agent:events").map(async (key) => {
        const slot = slots === undefined ? 0 : await this.#slotOf(key);
        if (slots !== undefined && (slot < slots[0] || slot > slots[1])) return [];
        return this.#client.xrange(key, "-", "+");
      }),
    );
    return logs.flat().map(([, fields]) => fields[1] ?? "");
  }

  /** Removes what the demo wrote. It names every key and uses no pattern, so it cannot remove anything else. */
  async removeKeys(ids: readonly string[]): Promise<void> {
    const kinds = [...ids.flatMap((id) => [`id:${id}`, `log:${id}`]), "machine", "index", "due", "events"];
    const names = [...kinds.map((kind) => `agent:${kind}`), "machines"];
    // A command names keys of one partition only, because a cluster rejects others.
    for (const prefix of this.#prefixes) {
      const keys = names.map((name) => prefix + name);
      for (let at = 0; at < keys.length; at += BATCH)
        await this.#client.unlink(...keys.slice(at, at + BATCH));
    }
    await this.#client.unlink(`{${this.#namespace}}:meta`);
  }

  async close(): Promise<void> {
    this.#client.disconnect();
    this.#server.disconnect();
  }

  /** Start of the keys of each partition. */
  get #prefixes(): string[] {
    return Array.from({ length: this.#partitions }, (_, partition) => `{${this.#namespace}:${partition}}:`);
  }

  #partitionKeys(name: string): string[] {
    return this.#prefixes.map((prefix) => prefix + name);
  }

  async #slotOf(key: string): Promise<number> {
    return Number(await this.#server.cluster("KEYSLOT", key));
  }
}

function clusterOf(url: string, { connectionName, username, password, tls }: RedisOptions): Cluster {
  const nodes = urlParts(url).hosts.map((host) => plainUrl(url, host));
  const user = { ...(username && { username }), ...(password && { password }), ...(tls && { tls }) };
  return new Cluster(nodes, { redisOptions: { ...(connectionName && { connectionName }), ...user } });
}
