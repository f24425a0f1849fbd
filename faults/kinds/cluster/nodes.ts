import type { Details, Fault } from "../../fault.js";
import { chooseShard, chooseSlot, clusterOf } from "./shard.js";

const LEAST_MET = 50;
const LONGEST_MS = 1000;
const MOST_SLOTS = 3;

/** Adds a primary, which gets some partitions of the clients, and removes it again. */
const nodeAdded: Fault = {
  name: "F29 node added, and removed",
  topologies: ["cluster"],
  loses: false,
  async inject(arena): Promise<Details> {
    const { random, withOverlap, waitBetween } = arena;
    const cluster = clusterOf(arena);
    await cluster.awaitHealth();
    const heir = random.of(await cluster.primaries());
    const slots = new Set<number>();
    for (let count = 1 + random.below(MOST_SLOTS); count > 0; count -= 1) slots.add(await chooseSlot(arena));
    const { overlap } = await withOverlap(LEAST_MET, async () => {
      const added = await cluster.add();
      for (const slot of slots) await cluster.moveSlot(slot, added);
      await waitBetween(0, LONGEST_MS);
      await cluster.remove(added, heir);
    });
    await cluster.awaitReplicas(heir);
    return { heir: heir.name, slots: [...slots], overlap };
  },
};

/** Kills a replica, and starts it again. Changes that wait for it are not durable meanwhile. */
const replicaKilled: Fault = {
  name: "F10 replica of a shard killed",
  topologies: ["cluster"],
  loses: false,
  async inject(arena): Promise<Details> {
    const { cluster, replica } = await chooseShard(arena);
    const { overlap, result } = await arena.withOverlap(LEAST_MET, async () => {
      await replica.server.kill9();
      const downMs = await arena.waitBetween(0, LONGEST_MS);
      await replica.server.restart();
      return downMs;
    });
    await cluster.awaitHealth();
    return { replica: replica.name, downMs: result, overlap };
  },
};

/** Partitions a shard with its replica. Nothing replaces it, and the others serve no slot until it is back. */
const shardPartitioned: Fault = {
  name: "F12 shard partitioned from the others",
  topologies: ["cluster"],
  loses: false,
  async inject(arena): Promise<Details> {
    const { cluster, primary, replica } = await chooseShard(arena);
    try {
      const { overlap, result } = await arena.withOverlap(LEAST_MET, async () => {
        await cluster.partition([primary, replica], arena.random.below(2) === 0);
        return arena.waitBetween(100, 5 * LONGEST_MS);
      });
      return { primary: primary.name, durationMs: result, overlap };
    } finally {
      cluster.heal();
      await cluster.awaitHealth();
    }
  },
};

/** Lists the faults of nodes that come, go, or cannot be reached, without a failover. */
export const clusterNodes: readonly Fault[] = [nodeAdded, replicaKilled, shardPartitioned];
