import { expect, it, onTestFinished } from "vitest";
import type { ClusterServers } from "../../../faults/servers/cluster.js";
import type { ClusterNode } from "../../../faults/servers/cluster-node.js";
import { Subscriber } from "../../../src/events/subscriber.js";
import { connect, partitionOf } from "../../../src/index.js";
import { Deadline } from "../../../src/valkey/deadline.js";
import { openConnection } from "../../../src/valkey/open-connection.js";
import { ownCluster } from "../../helpers/cluster.js";
import { clusterClient } from "../../helpers/cluster-clients.js";
import { clusterProxies } from "../../helpers/cluster-proxies.js";
import { order } from "../../helpers/order.js";

const PARTITIONS = 8;
const IDS = Array.from({ length: 24 }, (_, at) => `o${at}`);
const LONG = { timeout: 90_000 } as const;

/** Orders in a cluster of two primaries with a replica each. The first server holds the facts of the namespace. */
async function scene() {
  const cluster = await ownCluster({ primaries: 2, replicas: 1 });
  const latchkey = await clusterClient(cluster);
  const { namespace } = latchkey;
  await latchkey.init(PARTITIONS);
  const orders = await latchkey.machine(order);
  await Promise.all(IDS.map((id) => orders.create(id, {}, LONG)));
  const first = await cluster.ownerOf(`{${namespace}}:meta`);
  const owners = await Promise.all(
    IDS.map((id) => cluster.ownerOf(`{${namespace}:${partitionOf(id, PARTITIONS)}}:order:events`)),
  );
  const ids = IDS.filter((_, at) => owners[at] === first);
  return { cluster, orders, namespace, first, ids };
}

/** Promotes the replica of a primary, and waits until all nodes know it. */
async function replace(cluster: ClusterServers, primary: ClusterNode): Promise<ClusterNode> {
  const [replica] = await cluster.replicasOf(primary);
  if (replica === undefined) throw new Error("The primary has no replica");
  await cluster.failOver(replica, "TAKEOVER");
  await cluster.awaitHealth();
  return replica;
}

it("connections that are opened to a server while another replaces it are opened to that one", async () => {
  const { cluster, namespace, first, ids } = await scene();
  const proxies = await clusterProxies(cluster);
  const proxy = proxies.of(first);
  const far = await connect({
    cluster: proxies.cluster,
    namespace,
    // Neither ends an attempt to connect, nor makes a reader look again by itself.
    ...{ connectTimeoutMs: 600_000, silenceTimeoutMs: 600_000, timeout: 90_000 },
  });
  onTestFinished(() => far.close());
  const orders = await far.machine(order);
  const [id = "", other = ""] = ids;
  await orders.get(id);
  proxy.freeze(true); // its new connections wait
  const followed = new Set<string>();
  const follower = orders.follow((change) => void followed.add(change.id));
  const heard = new Set<string>();
  const subscribing = orders.subscribe((change) => void heard.add(change.id));
  const unread = new Set([...IDS.map((one) => `${one} 1`), `${id} 2`, `${other} 2`]);
  const reading = (async () => {
    for await (const change of orders.events({ after: "start" })) {
      unread.delete(`${change.id} ${change.version}`);
      if (unread.size === 0) return; // the events of different partitions come in any order
    }
  })();
  const changing = orders.transition(id, "submitted", { durability: { replicas: 1, timeoutMs: 60_000 } });
  await expect.poll(() => proxy.frozen, LONG).toBeGreaterThanOrEqual(3);
  await replace(cluster, first);
  await orders.get(id); // the old server names the new one
  expect(await changing).toMatchObject({ state: "submitted", version: 2 });
  await subscribing;
  await follower;
  await orders.transition(other, "submitted");
  await reading;
  await expect.poll(() => [heard.has(other), followed.has(other)], LONG).toEqual([true, true]);
});

it("the ready servers are those that hold the slots now, not a demoted one that is connected", async () => {
  const { cluster, namespace, first } = await scene();
  const connection = await openConnection({ url: cluster.url, namespace });
  onTestFinished(() => connection.close());
  const addresses = async () =>
    (await connection.readyServers(Deadline.in(60_000))).map(({ address }) => address).sort();
  const ports = async () =>
    (await cluster.primaries()).map(({ port }) => `valkey://127.0.0.1:${port}`).sort();
  expect(await addresses()).toEqual(await ports());
  await replace(cluster, first);
  expect(await addresses()).toEqual(await ports());
  expect(await ports()).not.toContain(`valkey://127.0.0.1:${first.port}`);
});

it("a subscription moves on from a server that left the cluster and still runs", async () => {
  const { cluster, namespace, orders, first, ids } = await scene();
  const connection = await openConnection({ url: cluster.url, namespace });
  onTestFinished(() => connection.close());
  const heard = new Set<string>();
  let missed = 0;
  const location = { namespace, partitions: PARTITIONS, machine: "order" };
  const member = {
    onChange: ({ id }: { id: string }) => void heard.add(id),
    onMissed: () => {
      missed += 1;
    },
  };
  await Subscriber.of(connection).join(location, member);
  await replace(cluster, first);
  for (const node of cluster.nodes) if (node !== first) await node.admin.cluster("FORGET", first.id);
  await first.admin.cluster("RESET", "SOFT");
  await connection.readyServers(Deadline.in(60_000)); // reads the map of slots
  await expect.poll(() => missed, LONG).toBeGreaterThan(0);
  const [id = ""] = ids;
  await orders.transition(id, "submitted", LONG);
  await expect.poll(() => heard.has(id), LONG).toBe(true);
});
