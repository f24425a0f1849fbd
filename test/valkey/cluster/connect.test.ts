import { Cluster, Valkey } from "iovalkey";
import { expect, it, onTestFinished } from "vitest";
import { agent, ConnectError, ContractError, connect } from "../../../src/index.js";
import { readSlots } from "../../../src/valkey/cluster/slots.js";
import { rejectionOf } from "../../helpers/client.js";
import { ownCluster, useCluster } from "../../helpers/cluster.js";
import { freshNamespace, useValkey } from "../../helpers/valkey.js";

type Options = Parameters<typeof connect>[0];

/** Connects, uses the machine `agent`, and disconnects. Returns the address and the number of partitions. */
async function use(options: Options) {
  const latchkey = await connect({ namespace: freshNamespace(), ...options });
  onTestFinished(() => latchkey.close());
  const agents = await latchkey.machine(agent());
  for (const id of ["a1", "a2", "a3", "a4"]) await agents.create(id);
  expect(await agents.count()).toMatchObject({ spawning: 4 });
  return [latchkey.address, latchkey.partitions];
}

it("a cluster is recognised by the URL of any of its nodes", async () => {
  const { addresses } = await useCluster();
  for (const address of addresses)
    expect(await use({ url: `valkey://${address}` })).toEqual([`valkey+cluster://${address}`, 64]);
});

it("a cluster is reached by a URL of some nodes, of which one replies", async () => {
  const [, , third] = (await useCluster()).addresses;
  const url = `valkey+cluster://127.0.0.1:1,${third}`;
  expect(await use({ url })).toEqual([url, 64]);
});

it("a cluster is reached by a list of addresses, also as cluster.nodes", async () => {
  const [first, second] = (await useCluster()).addresses;
  const nodes = [String(first), String(second)];
  const address = `valkey+cluster://${first},${second}`;
  expect(await use({ cluster: nodes })).toEqual([address, 64]);
  expect(await use({ cluster: { nodes } })).toEqual([address, 64]);
});

it("addresses that the nodes name are replaced by those of natMap", async () => {
  const cluster = await ownCluster();
  const [first, second] = cluster.addresses.map((address) => Number(address.split(":")[1]));
  // The second node names an address that nobody reaches.
  await cluster.nodes[1]?.admin.config("SET", "cluster-announce-port", "1");
  const others = [cluster.nodes[0], cluster.nodes[2]];
  const named = async () => String(await others[0]?.admin.cluster("SLOTS")).includes(",127.0.0.1,1,");
  await expect.poll(named, { timeout: 60_000 }).toBe(true);
  const natMap = { "127.0.0.1:1": { host: "127.0.0.1", port: Number(second) } };
  expect(await use({ url: `valkey://127.0.0.1:${first}`, cluster: { natMap } })).toEqual([
    `valkey+cluster://127.0.0.1:${first}`,
    64,
  ]);
});

it("nodes that announce host names and have none are reached at their address, also after MOVED", async () => {
  const cluster = await ownCluster({ settings: { "cluster-preferred-endpoint-type": "hostname" } });
  const [first] = cluster.nodes;
  expect(String(await first?.admin.cluster("SLOTS"))).toContain(",?,");
  const latchkey = await connect({ url: cluster.url, namespace: freshNamespace(), timeout: "60s" });
  onTestFinished(() => latchkey.close());
  await latchkey.init(1);
  const agents = await latchkey.machine(agent());
  await agents.create("a1");
  const slot = await cluster.slotOf(`{${latchkey.namespace}:0}`);
  const owner = await cluster.owner(slot);
  await cluster.moveSlot(slot, cluster.nodes.find((node) => node !== owner) ?? owner);
  expect(await agents.transition("a1", "running")).toMatchObject({ version: 2 });
});

it("the map of slots has the address of a node without a host name, and no node without an address", () => {
  const client = new Valkey({ host: "10.0.0.9", lazyConnect: true });
  onTestFinished(() => client.disconnect());
  const node = (host: string | null, ...facts: string[]) => [host, 6379, "id", facts];
  const reply = [
    [0, 0, node("?", "ip", "10.0.0.1")],
    [1, 1, node("?", "ip", "10.0.0.2")],
    [2, 2, node("?")],
    [3, 3, node(null)],
    [4, 4, node("")],
  ];
  const { owners, primaries } = readSlots(reply, client);
  const names = ["10.0.0.1:6379", "10.0.0.2:6379", undefined, "10.0.0.9:6379", "10.0.0.9:6379"];
  expect(owners.slice(0, 6)).toEqual([...names, undefined]);
  expect([...primaries.keys()]).toEqual(["10.0.0.1:6379", "10.0.0.2:6379", "10.0.0.9:6379"]);
});

it("init sets 64 partitions without a number, and rejects another number later", async () => {
  const { url } = await useCluster();
  const latchkey = await connect({ url, namespace: freshNamespace() });
  onTestFinished(() => latchkey.close());
  expect(await latchkey.init()).toEqual({ layout: 2, partitions: 64 });
  const error = await rejectionOf(ContractError, latchkey.init(16));
  expect(error.code).toBe("PARTITIONS");
  expect(await latchkey.init()).toEqual({ layout: 2, partitions: 64 });
});

it("a cluster URL of a server outside of a cluster is rejected with the URL to write", async () => {
  const { host, port } = await useValkey();
  const error = await rejectionOf(ContractError, connect({ url: `valkey+cluster://${host}:${port}` }));
  expect(error.message).toContain("not a node of a cluster; write its URL as valkey://");
});

it("a cluster of which no node replies is unreachable", async () => {
  const url = "valkey+cluster://127.0.0.1:1,127.0.0.1:2";
  const error = await rejectionOf(ConnectError, connect({ url }));
  expect([error.reason, error.address]).toEqual(["refused", url]);
});

it("a cluster that does not serve the slot of the namespace is reported as such", async () => {
  const cluster = await ownCluster({ settings: { "cluster-require-full-coverage": "no" } });
  const namespace = freshNamespace();
  const slot = await cluster.slotOf(`{${namespace}}:meta`);
  // The owner first: it would tell the others about the slot again.
  const owner = await cluster.owner(slot);
  for (const node of [owner, ...cluster.nodes]) await node.admin.cluster("DELSLOTS", slot).catch(() => {});
  const knows = async () =>
    (await Promise.all(cluster.nodes.map((node) => node.view()))).some(
      (view) => view.ownerOf(slot) !== undefined,
    );
  await expect.poll(knows, { timeout: 30_000 }).toBe(false);
  const url = String(cluster.url);
  const error = await rejectionOf(ConnectError, connect({ url, namespace, connectTimeoutMs: 1_000 }));
  expect(error.reason).toBe("cluster");
});

it.each<[string, Options, string]>([
  ["database in a URL", { url: "valkey+cluster://h/2" }, "a cluster has only database 0"],
  ["database", { url: "valkey+cluster://h", database: 1 }, "a cluster has only database 0"],
  ["list without an address", { cluster: [] }, "must be a list of addresses"],
  ["address", { cluster: ["a/b"] }, "an address is not host:port; write each address as host:port"],
  ["pair of list and URL", { cluster: ["h:1"], url: "valkey://h" }, "exclude each other"],
  ["name of an option", { cluster: { node: ["h:1"] } as never }, "node"],
  ["natMap", { cluster: { natMap: { h: { host: "h", port: 1 } } } }, "must be host:port, as the nodes"],
])("an invalid %s is rejected", async (_, options, text) => {
  expect((await rejectionOf(ContractError, connect(options))).message).toContain(text);
});

it("iovalkey's own Cluster is rejected as client, and a client of one node explains its MOVED", async () => {
  const cluster = await useCluster();
  const [first] = cluster.addresses;
  const port = Number(first?.split(":")[1]);
  const theirs = new Cluster([{ host: "127.0.0.1", port }], { lazyConnect: true });
  const rejected = await rejectionOf(ContractError, connect({ client: theirs as unknown as Valkey }));
  expect(rejected.message).toContain("not a Cluster");
  const namespace = freshNamespace();
  const owner = await cluster.ownerOf(`{${namespace}}:meta`);
  const other = cluster.nodes.find((node) => node !== owner);
  const client = new Valkey({ host: "127.0.0.1", port: Number(other?.announced.port) });
  onTestFinished(() => client.disconnect());
  // At once: a retry at the same node cannot help.
  const error = await connect({ client, namespace, timeout: "1h" }).catch((thrown: Error) => thrown);
  expect(String(error)).toContain("pass a URL or the option cluster instead of `client`");
});
