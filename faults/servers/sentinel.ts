import type { NodeProxy } from "../proxy/proxy.js";
import { infoField } from "./info.js";
import { DataNode } from "./node.js";
import { poll } from "./poll.js";
import { freePort } from "./ports.js";
import { PRIMARY_NAME, SentinelProcess } from "./sentinel-process.js";
import type { Servers, ServersOptions } from "./servers.js";

const HOST = "127.0.0.1";
const NAMES = ["a", "b", "c"] as const;
const REPLICATION = {
  "repl-diskless-sync-delay": "0",
  "repl-timeout": "5",
  "repl-ping-replica-period": "1",
  "repl-backlog-size": "16mb",
};

/**
 * Runs a primary, two replicas and three Sentinels. Each data node announces the port of its proxy, so replicas, Sentinels
 * and clients all connect through it. A partition therefore needs no network permissions.
 */
export class SentinelServers implements Servers {
  readonly topology = "sentinel";
  readonly nodes: readonly DataNode[];
  readonly sentinels: readonly SentinelProcess[];
  readonly #proxies: readonly NodeProxy[];

  private constructor(
    nodes: readonly DataNode[],
    proxies: readonly NodeProxy[],
    sentinels: readonly SentinelProcess[],
  ) {
    this.nodes = nodes;
    this.sentinels = sentinels;
    this.#proxies = proxies;
  }

  /** Starts all servers, and waits until they are healthy. */
  static async start(
    options: Pick<ServersOptions, "folder" | "settings" | "openProxy">,
  ): Promise<SentinelServers> {
    const { folder, settings, openProxy } = options;
    const ports = await Promise.all(NAMES.map(() => freePort()));
    const proxies: NodeProxy[] = [];
    for (const port of ports) proxies.push(await openProxy(port));
    const [primary] = proxies;
    if (primary === undefined) throw new Error("There is no proxy for the primary");
    const nodes: DataNode[] = [];
    for (const [at, name] of NAMES.entries()) {
      const announced = { "replica-announce-ip": HOST, "replica-announce-port": String(proxies[at]?.port) };
      const follows = at === 0 ? {} : { replicaof: `${HOST} ${primary.port}` };
      const port = ports[at] ?? 0;
      nodes.push(
        await DataNode.start({
          ...{ name, port, folder },
          settings: { ...REPLICATION, ...settings, ...announced, ...follows },
        }),
      );
    }
    const sentinels: SentinelProcess[] = [];
    for (const name of NAMES) {
      sentinels.push(await SentinelProcess.start(`sentinel-${name}`, folder, primary.port));
    }
    const servers = new SentinelServers(nodes, proxies, sentinels);
    await servers.awaitHealth();
    return servers;
  }

  get url(): string {
    const addresses = this.sentinels.map(({ port }) => `${HOST}:${port}`);
    return `valkey+sentinel://${addresses.join(",")}/${PRIMARY_NAME}`;
  }

  /** Returns the node that all Sentinels name and whose role is primary. */
  async primary(): Promise<DataNode> {
    return poll("there is no primary", async () => {
      const ports = await Promise.all(this.sentinels.map((sentinel) => sentinel.primaryPort()));
      const node = this.nodes[this.#proxies.findIndex((proxy) => ports.every((port) => port === proxy.port))];
      return node !== undefined && (await roleOf(node)) === "master" ? node : undefined;
    });
  }

  /** Waits until another node is the primary. */
  async successorOf(former: DataNode): Promise<DataNode> {
    return poll(`no node replaced ${former.name} as the primary`, async () => {
      const primary = await this.primary();
      return primary === former ? undefined : primary;
    });
  }

  replicasOf(primary: DataNode): DataNode[] {
    return this.nodes.filter((node) => node !== primary);
  }

  /** Returns the proxy in front of a node. */
  proxyOf(node: DataNode): NodeProxy {
    const proxy = this.#proxies[this.nodes.indexOf(node)];
    if (proxy === undefined) throw new Error(`${node.name} is none of these nodes`);
    return proxy;
  }

  /** Waits until there is one primary, both replicas follow it, and all Sentinels know it. */
  async awaitHealth(): Promise<DataNode> {
    return poll("the servers did not become healthy", async () => {
      const seen = await Promise.all(this.sentinels.map((sentinel) => sentinel.isHealthy()));
      if (!seen.every(Boolean)) return undefined;
      const primary = await this.primary();
      const links = this.replicasOf(primary).map(async (node) => {
        return (await infoField(node.admin, "replication", "master_link_status")) === "up";
      });
      return (await Promise.all(links)).every(Boolean) ? primary : undefined;
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.sentinels.map((sentinel) => sentinel.close()));
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
    await Promise.all(this.nodes.map((node) => node.close()));
  }
}

/** Returns the role of a node, or undefined if it is frozen or stopped. */
async function roleOf(node: DataNode): Promise<string | undefined> {
  if (!node.isRunning || node.isStopped) return undefined;
  const [role] = (await node.admin.role()) as unknown[];
  return String(role);
}
