import { expect, it } from "vitest";
import type { ClusterNode } from "../../../faults/servers/cluster-node.js";
import { agent, partitionOf } from "../../../src/index.js";
import { all, client } from "../../helpers/client.js";
import { ownCluster } from "../../helpers/cluster.js";

const REPLICA = { reads: "replica" } as const;
const IDS = Array.from({ length: 30 }, (_, number) => `a${number}`);

/** Agents in a cluster of primaries with a replica each, which have all of them. */
async function scene() {
  const cluster = await ownCluster({ primaries: 2, replicas: 1 });
  const latchkey = await client({ url: cluster.url, namespace: "t", timeout: "30s" });
  await latchkey.init(16);
  const agents = await latchkey.machine(agent());
  for (const id of IDS) await agents.create(id, {}, { durability: { replicas: 1 } });
  return { cluster, latchkey, agents };
}

async function readers(nodes: readonly ClusterNode[]): Promise<number> {
  const lists = await Promise.all(nodes.map(({ admin }) => admin.client("LIST")));
  return lists.join().split("name=latchkey-replica ").length - 1;
}

it("reads of a cluster are answered by the replicas of each primary, also after a failover", async () => {
  const { cluster, agents } = await scene();
  const primaries = await cluster.primaries();
  const replicas = cluster.nodes.filter((node) => !primaries.includes(node));
  const reads = async (options: typeof REPLICA | undefined) => [
    await all(agents.list(options)),
    await agents.listPage(options),
    await agents.count(options),
    await agents.get("a7", options),
    await agents.history("a7", options),
  ];
  const expected = await reads(undefined);
  // A replica that has just begun to follow is not used yet.
  const connected = async (): Promise<number> => {
    await reads(REPLICA);
    return readers(replicas);
  };
  await expect.poll(connected, { timeout: 60_000 }).toBe(replicas.length);
  for (const { admin } of primaries) await admin.config("RESETSTAT");
  expect(await reads(REPLICA)).toEqual(expected);
  for (const { admin } of primaries)
    expect(await admin.info("commandstats")).not.toMatch(
      /cmdstat_(evalsha_ro|hgetall|zcount|zrangebyscore|lrange)/,
    );
  const [successor] = replicas;
  if (successor === undefined) throw new Error("There is no replica");
  await cluster.failOver(successor);
  await cluster.awaitHealth();
  const connections = async (): Promise<number> => {
    expect(await reads(REPLICA)).toEqual(expected);
    return readers((await cluster.primaries()).filter((node) => node === successor));
  };
  await expect.poll(connections, { timeout: 60_000 }).toBe(0);
});

it("get finds an entity while its slot moves, which a replica may not", async () => {
  const { cluster, agents } = await scene();
  await agents.get("a7", REPLICA);
  const slot = await cluster.slotOf(`{t:${partitionOf("a7", 16)}}:agent:id:a7`);
  const owner = await cluster.owner(slot);
  const other = (await cluster.primaries()).find((node) => node !== owner);
  if (other === undefined) throw new Error("There is one primary only");
  const migration = await cluster.beginMigration(slot, other);
  while ((await migration.moveKeys(100)) > 0);
  const reading = agents.get("a7", { ...REPLICA, timeout: "100s" }); // TRYAGAIN until the slot has moved
  await migration.finish(await cluster.primaries());
  expect(await reading).toMatchObject({ state: "spawning" });
});
