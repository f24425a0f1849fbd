import { ClusterNode, type ClusterNodeOptions } from "./cluster-node.js";
import { SLOTS } from "./cluster-view.js";
import { infoField } from "./info.js";
import type { DataNode } from "./node.js";
import { poll } from "./poll.js";
import type { Servers } from "./servers.js";
import { SlotMigration } from "./slot-migration.js";

/** Then a manual failover has failed, because the server ends it after 5 seconds. */
const FAILOVER_MS = 6_000;

/** Configures a cluster. */
export interface ClusterOptions extends ClusterNodeOptions {
  /** @default 3 */
  readonly primaries?: number;
  /** Replicas of each primary. @default 0 */
  readonly replicas?: number;
}

/** Runs a Valkey Cluster. */
export class ClusterServers implements Servers {
  readonly topology = "cluster";
  readonly #options: ClusterOptions;
  readonly #nodes: ClusterNode[] = [];
  #started = 0;

  private constructor(options: ClusterOptions) {
    this.#options = options;
  }

  /** Starts all nodes, distributes the slots, and waits until the cluster is healthy. */
  static async start(options: ClusterOptions): Promise<ClusterServers> {
    const { primaries = 3, replicas = 0 } = options;
    const cluster = new ClusterServers(options);
    try {
      for (let at = 0; at < primaries * (1 + replicas); at += 1) await cluster.#startNode();
      const all = cluster.#nodes;
      for (const [at, { admin }] of all.slice(0, primaries).entries()) {
        await admin.cluster("SET-CONFIG-EPOCH", at + 1);
        const [first, next] = [at, at + 1].map((share) => Math.round((share * SLOTS) / primaries));
        await admin.call("CLUSTER", "ADDSLOTSRANGE", Number(first), Number(next) - 1);
      }
      for (const [at, node] of all.entries()) for (const other of all.slice(at + 1)) await node.meet(other);
      await Promise.all(
        all.slice(primaries).map(async (node, at) => follow(node, all[at % primaries] ?? node)),
      );
      await cluster.awaitHealth();
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  /** The present nodes, including killed and frozen ones. */
  get nodes(): readonly ClusterNode[] {
    return this.#nodes;
  }

  /** Addresses of all nodes as clients reach them, `host:port`. */
  get addresses(): string[] {
    return this.#nodes.map(({ announced }) => `127.0.0.1:${announced.port}`);
  }

  get url(): string {
    return `valkey+cluster://${this.addresses.join(",")}`;
  }

  /** Returns the node with an ID. @throws Error if it was removed */
  node(id: string): ClusterNode {
    const node = this.#nodes.find((one) => one.id === id);
    if (node === undefined) throw new Error(`The cluster has no node ${id}`);
    return node;
  }

  /** Waits until all nodes run, see each other, agree on the slots, and replicas follow. */
  async awaitHealth(): Promise<void> {
    let problem = "";
    const what = (): string => `the cluster did not become healthy${problem}`;
    await poll(what, async () => {
      const problems = await Promise.all(this.#nodes.map((node) => node.problem(this.#nodes.length)));
      problem = problems.map((one, at) => (one === undefined ? "" : `, node ${at + 1}: ${one}`)).join("");
      if (problem !== "") return undefined;
      const views = await Promise.all(this.#nodes.map((node) => node.view()));
      return new Set(views.map(({ shape }) => shape)).size === 1 ? true : undefined;
    });
  }

  /** Returns the slot of a key. */
  async slotOf(key: string): Promise<number> {
    const [node] = this.#nodes.filter(({ isUp }) => isUp);
    return Number(await node?.admin.cluster("KEYSLOT", key));
  }

  /**
   * Returns the owner of a slot. Waits until all running nodes agree on it, and it says that it is a primary.
   *
   * @param without nodes that are not asked, and of which none may be the owner
   */
  async owner(slot: number, without: readonly ClusterNode[] = []): Promise<ClusterNode> {
    return poll(`the nodes did not agree on the owner of slot ${slot}`, async () => {
      const asked = this.#nodes.filter((node) => node.isUp && !without.includes(node));
      const views = await Promise.all(asked.map((node) => node.view()));
      const [id, ...others] = new Set(views.map((view) => view.ownerOf(slot)));
      return others.length > 0 ? undefined : asked.find((node) => node.id === id);
    });
  }

  /** Returns the owner of a key's slot. */
  async ownerOf(key: string): Promise<ClusterNode> {
    return this.owner(await this.slotOf(key));
  }

  async primary(key: string): Promise<DataNode> {
    return (await this.ownerOf(key)).server;
  }

  /** Returns the running nodes that are primaries, as they say themselves, in the order of their start. */
  async primaries(): Promise<ClusterNode[]> {
    const running = this.#nodes.filter(({ isUp }) => isUp);
    const views = await Promise.all(running.map((node) => node.view()));
    return running.filter((_, at) => views[at]?.own.primary === undefined);
  }

  /** Returns the running replicas of a primary, as they say themselves. */
  async replicasOf(primary: ClusterNode): Promise<ClusterNode[]> {
    const running = this.#nodes.filter(({ isUp }) => isUp);
    const views = await Promise.all(running.map((node) => node.view()));
    return running.filter((_, at) => views[at]?.own.primary === primary.id);
  }

  /** Waits until the replicas of a node have received everything that it has now. */
  async awaitReplicas(node: ClusterNode): Promise<void> {
    const offset = Number(await infoField(node.admin, "replication", "master_repl_offset"));
    await poll(`the replicas of ${node.name} did not catch up`, async () => {
      const replicas = await this.replicasOf(node);
      const offsets = replicas.map(({ admin }) => infoField(admin, "replication", "slave_repl_offset"));
      return (await Promise.all(offsets)).every((reached) => Number(reached) >= offset) ? true : undefined;
    });
  }

  /** Begins to move a slot from its owner to another primary. */
  async beginMigration(slot: number, to: ClusterNode): Promise<SlotMigration> {
    return SlotMigration.begin(slot, await this.owner(slot), to);
  }

  /** Moves a slot with all its keys to another primary, and waits until all nodes know it. */
  async moveSlot(slot: number, to: ClusterNode): Promise<void> {
    const migration = await this.beginMigration(slot, to);
    await migration.finish(await this.primaries());
    await poll(`slot ${slot} did not move to ${to.name}`, async () =>
      (await this.owner(slot)) === to ? true : undefined,
    );
  }

  /**
   * Promotes a replica, and waits until it is a primary.
   *
   * @param mode FORCE does not wait for the primary, and TAKEOVER not for the other primaries either. Both may lose changes.
   */
  async failOver(replica: ClusterNode, mode?: "FORCE" | "TAKEOVER"): Promise<void> {
    let until = 0;
    await poll(`${replica.name} did not become a primary`, async () => {
      if ((await replica.view()).own.primary === undefined) return true;
      if (performance.now() > until) {
        await replica.admin.call("CLUSTER", "FAILOVER", ...(mode === undefined ? [] : [mode]));
        until = performance.now() + FAILOVER_MS;
      }
      return undefined;
    });
  }

  /** Adds a node: a replica of a primary, or a primary without slots. Waits until all nodes know it. */
  async add(primary?: ClusterNode): Promise<ClusterNode> {
    const others = [...this.#nodes];
    const node = await this.#startNode();
    for (const other of others) await node.meet(other);
    if (primary !== undefined) await follow(node, primary);
    await this.awaitHealth();
    return node;
  }

  /** Moves the slots of a node to `heir`, and removes it for good. */
  async remove(node: ClusterNode, heir: ClusterNode): Promise<void> {
    const { slots } = (await node.view()).own;
    const primaries = await this.primaries();
    for (const [first, last] of slots) {
      for (let slot = first; slot <= last; slot += 1) {
        await (await SlotMigration.begin(slot, node, heir)).finish(primaries);
      }
    }
    this.#nodes.splice(this.#nodes.indexOf(node), 1);
    await node.close();
    // The nodes forget it at the same time, because one that knows it would tell the others about it again.
    await Promise.all(this.#nodes.map(({ admin }) => admin.cluster("FORGET", node.id)));
    await this.awaitHealth();
  }

  /**
   * Partitions some nodes from the others: on the bus, and in replication.
   *
   * @param withoutClients true if clients cannot reach these nodes either
   */
  async partition(group: readonly ClusterNode[], withoutClients: boolean): Promise<void> {
    const inside = new Set(group.map(({ id }) => id));
    for (const node of this.#nodes) {
      const { data, bus } = node.proxies;
      const isInside = inside.has(node.id);
      const followers = await this.replicasOf(node);
      bus.cut((sender) => inside.has(sender) !== isInside);
      if (isInside && withoutClients) data.treat({ partition: true }, 0);
      // Replicas never set a name.
      else if (followers.some(({ id }) => inside.has(id) !== isInside))
        data.treat({ partition: true }, 0, (name) => name === "");
    }
  }

  /** Ends a partition. */
  heal(): void {
    for (const { proxies } of this.#nodes) {
      proxies.data.heal();
      proxies.bus.heal();
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.close()));
  }

  async #startNode(): Promise<ClusterNode> {
    this.#started += 1;
    const node = await ClusterNode.start(`node-${this.#started}`, this.#options);
    this.#nodes.push(node);
    return node;
  }
}

/** Makes a node a replica, as soon as it knows the primary. */
async function follow(node: ClusterNode, primary: ClusterNode): Promise<void> {
  await poll(`${node.name} did not become a replica`, async () => {
    await node.admin.cluster("REPLICATE", primary.id);
    return true;
  });
}
