import { setTimeout as pause } from "node:timers/promises";
import { ClusterNode } from "./cluster-node.js";
import { DemoFailure } from "./failure.js";

const PRIMARIES = 3;
const SLOTS = 16_384;
/** Primary that the demo kills. */
const VICTIM = 1;
const POLL_MS = 50;
const TIMEOUT_MS = 60_000;

/** A primary that was killed, and the replica that took its place. */
export interface Failover {
  readonly killed: string;
  readonly promoted: string;
  /** From the kill until the cluster served all slots again, in ms. */
  readonly tookMs: number;
}

/** The demo's own cluster: three primaries, each with a replica. */
export class DemoCluster {
  readonly #nodes: readonly ClusterNode[];

  private constructor(nodes: readonly ClusterNode[]) {
    this.#nodes = nodes;
  }

  /**
   * Starts the servers, and waits until the cluster serves all slots.
   *
   * @param onEnd called if a server ends by itself
   * @throws DemoFailure if the cluster does not become healthy in a minute; what `ClusterNode.start` throws
   */
  static async start(onNotice: (line: string) => void, onEnd: () => void): Promise<DemoCluster> {
    const names = Array.from({ length: 2 * PRIMARIES }, (_, at) => `node-${at + 1}`);
    // Each would give the same notice.
    const starts = names.map((name, at) => ClusterNode.start(name, at === 0 ? onNotice : () => {}));
    const started = await Promise.allSettled(starts);
    const nodes = started.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
    const cluster = new DemoCluster(nodes);
    try {
      const failed = started.find((result) => result.status === "rejected");
      if (failed !== undefined) throw failed.reason;
      for (const node of nodes) node.onEnd(onEnd);
      await cluster.#form();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  get url(): string {
    return `valkey+cluster://${this.#nodes.map(({ address }) => address).join(",")}`;
  }

  /** The first and the last slot of the primary that will be killed. */
  get victimSlots(): readonly [number, number] {
    return slotsOf(VICTIM);
  }

  /** Kills a primary, and waits until its replica has taken its place and the cluster serves all slots. */
  async killPrimary(): Promise<Failover> {
    const [victim, replica] = [this.#nodes[VICTIM], this.#nodes[VICTIM + PRIMARIES]];
    if (victim === undefined || replica === undefined) throw new DemoFailure("the cluster has no nodes");
    const startMs = performance.now();
    await victim.stop();
    const others = this.#nodes.filter((node) => node !== victim);
    await poll("the replica did not take over", async () => {
      const isPrimary = (await replica.fact("role")) === "master";
      return isPrimary && (await this.#isServing(others));
    });
    return {
      killed: victim.name,
      promoted: replica.name,
      tookMs: Math.round(performance.now() - startMs),
    };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()));
  }

  async #form(): Promise<void> {
    const primaries = this.#nodes.slice(0, PRIMARIES);
    for (const [at, { admin }] of primaries.entries()) {
      await admin.call("CLUSTER", "SET-CONFIG-EPOCH", at + 1);
      await admin.call("CLUSTER", "ADDSLOTSRANGE", ...slotsOf(at));
    }
    for (const [at, node] of this.#nodes.entries())
      for (const other of this.#nodes.slice(at + 1)) await node.meet(other);
    for (const [at, replica] of this.#nodes.slice(PRIMARIES).entries()) {
      const id = String(await primaries[at]?.admin.cluster("MYID"));
      // It knows the primary as soon as the two have met.
      await poll(`${replica.name} did not become a replica`, async () => {
        await replica.admin.call("CLUSTER", "REPLICATE", id);
        return true;
      });
      await poll(
        `${replica.name} did not follow its primary`,
        async () => (await replica.fact("master_link_status")) === "up",
      );
    }
    await poll("the cluster did not become healthy", () => this.#isServing(this.#nodes));
  }

  async #isServing(nodes: readonly ClusterNode[]): Promise<boolean> {
    const states = await Promise.all(nodes.map((node) => node.fact("cluster_state")));
    return states.every((state) => state === "ok");
  }
}

function slotsOf(primary: number): readonly [number, number] {
  const [first, next] = [primary, primary + 1].map((share) => Math.round((share * SLOTS) / PRIMARIES));
  return [first ?? 0, (next ?? SLOTS) - 1];
}

/** Polls until `check` returns true. A failure counts as false. @throws DemoFailure after a minute */
async function poll(what: string, check: () => Promise<boolean>): Promise<void> {
  const until = performance.now() + TIMEOUT_MS;
  while (!(await check().catch(() => false))) {
    if (performance.now() > until) throw new DemoFailure(what);
    await pause(POLL_MS);
  }
}
