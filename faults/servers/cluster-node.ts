import { BusProxy } from "../proxy/bus.js";
import type { NodeProxy } from "../proxy/proxy.js";
import { ClusterView } from "./cluster-view.js";
import { infoField } from "./info.js";
import { DataNode } from "./node.js";
import { freePort } from "./ports.js";
import type { Settings } from "./servers.js";

const HOST = "127.0.0.1";
/** Silence after which a node counts as failing. */
const NODE_TIMEOUT_MS = 1500;
const SETTINGS = {
  "cluster-enabled": "yes",
  "cluster-announce-ip": HOST,
  // Replicas stay with their primaries, and may always replace them.
  "cluster-migration-barrier": "9",
  "cluster-replica-validity-factor": "0",
  "repl-diskless-sync-delay": "0",
  "repl-timeout": "5",
  "repl-ping-replica-period": "1",
  "repl-backlog-size": "16mb",
};

/** Configures the nodes of a cluster. */
export interface ClusterNodeOptions {
  /** Folder for data. */
  readonly folder: string;
  /** Time without a reply after which a node counts as failing, in ms. @default 1500 */
  readonly nodeTimeoutMs?: number;
  readonly settings?: Settings;
  /**
   * Opens a proxy to a local port. Nodes announce the proxy's port to clients and replicas. The bus then has proxies too, so
   * that nodes can be partitioned. @default no proxies
   */
  readonly openProxy?: (target: number) => Promise<NodeProxy>;
}

/** The proxies in front of the two ports of a node. */
interface Proxies {
  readonly data: NodeProxy;
  readonly bus: BusProxy;
}

/** Runs one node of a cluster. */
export class ClusterNode {
  readonly id: string;
  /** The process, which can be killed, frozen and restarted. */
  readonly server: DataNode;
  /** The ports that it announces: to clients and replicas, and to other nodes. */
  readonly announced: { readonly port: number; readonly busPort: number };
  readonly #proxies: Proxies | undefined;

  private constructor(
    id: string,
    server: DataNode,
    announced: ClusterNode["announced"],
    proxies: Proxies | undefined,
  ) {
    this.id = id;
    this.server = server;
    this.announced = announced;
    this.#proxies = proxies;
  }

  /** Starts a node that knows no other one. */
  static async start(name: string, options: ClusterNodeOptions): Promise<ClusterNode> {
    const { folder, openProxy, nodeTimeoutMs = NODE_TIMEOUT_MS, settings } = options;
    const [port, busPort] = [await freePort(), await freePort()];
    const proxies = openProxy && { data: await openProxy(port), bus: await BusProxy.open(busPort) };
    const announced = { port: proxies?.data.port ?? port, busPort: proxies?.bus.port ?? busPort };
    const server = await DataNode.start({
      ...{ name, port, folder },
      settings: {
        ...SETTINGS,
        "cluster-port": String(busPort),
        "cluster-node-timeout": String(nodeTimeoutMs),
        "cluster-announce-port": String(announced.port),
        "cluster-announce-bus-port": String(announced.busPort),
        ...settings,
      },
    });
    return new ClusterNode(String(await server.admin.cluster("MYID")), server, announced, proxies);
  }

  get name(): string {
    return this.server.name;
  }

  /** Its own port, without a proxy. */
  get port(): number {
    return this.server.port;
  }

  get admin(): DataNode["admin"] {
    return this.server.admin;
  }

  /** True if it runs and is not frozen. */
  get isUp(): boolean {
    return this.server.isRunning && !this.server.isStopped;
  }

  /** The proxies in front of it. @throws Error if the cluster has none */
  get proxies(): Proxies {
    if (this.#proxies === undefined) throw new Error(`${this.name} has no proxies`);
    return this.#proxies;
  }

  /** Returns the cluster as this node sees it. */
  async view(): Promise<ClusterView> {
    return new ClusterView(String(await this.admin.cluster("NODES")));
  }

  /**
   * Returns what is wrong; undefined if it serves all slots, sees `count` nodes without trouble, and follows its primary if
   * it is a replica.
   */
  async problem(count: number): Promise<string | undefined> {
    const info = String(await this.admin.cluster("INFO"));
    if (!info.includes("cluster_state:ok") || !info.includes("cluster_slots_ok:16384"))
      return "does not serve all slots";
    const view = await this.view();
    if (!view.isComplete(count))
      return `sees ${view.nodes.map(({ flags }) => [...flags].join(" ")).join("; ")}`;
    if (view.own.primary === undefined) return undefined;
    const link = await infoField(this.admin, "replication", "master_link_status");
    return link === "up" ? undefined : `its connection to its primary is ${link}`;
  }

  /** Introduces another node. Both then learn of all nodes that either knows. */
  async meet({ announced }: ClusterNode): Promise<void> {
    await this.admin.call("CLUSTER", "MEET", HOST, announced.port, announced.busPort);
  }

  async close(): Promise<void> {
    await this.server.close();
    await Promise.all([this.#proxies?.data.close(), this.#proxies?.bus.close()]);
  }
}
