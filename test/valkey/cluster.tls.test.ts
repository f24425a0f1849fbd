import { expect, it, onTestFinished } from "vitest";
import type { ClusterNode } from "../../faults/servers/cluster-node.js";
import { agent, ConnectError, connect, NotExecutedError } from "../../src/index.js";
import { metaKey } from "../../src/valkey/keys.js";
import { client, rejectionOf } from "../helpers/client.js";
import { results } from "../helpers/doctor.js";
import { namesTlsPorts } from "../helpers/server-program.js";
import { tlsCluster, useCertificate } from "../helpers/tls-cluster.js";
import { freshNamespace } from "../helpers/valkey.js";

const PARTITIONS = 16;
const ids = Array.from({ length: 32 }, (_, n) => `a${n}`);

it.runIf(namesTlsPorts)(
  "changes, waits and counts of all partitions use TLS, also after a slot has moved",
  async () => {
    const { cluster, own, url } = await tlsCluster();
    const latchkey = await client({ url, tls: { caFile: own.caFile }, timeout: "30s" });
    await latchkey.init(PARTITIONS);
    const agents = await latchkey.machine(agent());
    await Promise.all(ids.map((id) => agents.create(id)));
    const waiting = Promise.all(ids.map((id) => agents.waitFor(id, "running")));
    const slot = await cluster.slotOf(`{${latchkey.namespace}:0}`);
    const owner = await cluster.owner(slot);
    await cluster.moveSlot(slot, cluster.nodes.find((node) => node !== owner) ?? owner);
    await Promise.all(ids.map((id) => agents.transition(id, "running")));
    expect(await waiting).toHaveLength(ids.length);
    expect(await agents.count()).toMatchObject({ running: ids.length });
  },
);

it.runIf(namesTlsPorts)("nodes that name themselves by host name are verified by that name", async () => {
  const { cluster, own, nodes } = await tlsCluster("DNS:localhost");
  const announce = (type: string, name: string) => {
    const settings = ["cluster-preferred-endpoint-type", type, "cluster-announce-hostname", name];
    return Promise.all(cluster.nodes.map(({ admin }) => admin.call("CONFIG", "SET", ...settings)));
  };
  onTestFinished(async () => void (await announce("ip", "")));
  await announce("hostname", "localhost");
  // The nodes learn the names of others in their next messages.
  const named = async (): Promise<unknown[]> => {
    const replies = await Promise.all(cluster.nodes.map(({ admin }) => admin.cluster("SLOTS")));
    return [...new Set(replies.flat().map(([, , primary]) => primary?.[0]))];
  };
  await expect.poll(named).toEqual(["localhost"]);
  const url = `valkeys+cluster://localhost:${nodes[0]?.tlsPort}`;
  const latchkey = await client({ url, tls: { caFile: own.caFile }, timeout: "30s" });
  await latchkey.init(PARTITIONS);
  const agents = await latchkey.machine(agent());
  await Promise.all(ids.map((id) => agents.create(id)));
  expect(await agents.count()).toMatchObject({ spawning: ids.length });
});

it.runIf(namesTlsPorts)(
  "doctor verifies each node by the name that the cluster gives it, or by its address without one",
  async () => {
    const { cluster, own, nodes } = await tlsCluster("DNS:localhost");
    const [first, ...others] = nodes;
    if (first === undefined) throw new Error("The cluster has no nodes");
    const announce = (node: ClusterNode, type: string, name: string) => {
      const settings = ["cluster-preferred-endpoint-type", type, "cluster-announce-hostname", name];
      return node.admin.call("CONFIG", "SET", ...settings);
    };
    onTestFinished(async () => {
      for (const node of cluster.nodes) await announce(node, "ip", "");
    });
    for (const { node } of others) {
      await announce(node, "hostname", "");
      await useCertificate(node, own, await own.issue({ names: "IP:127.0.0.1" }));
    }
    await announce(first.node, "hostname", "localhost");
    const namesBy = async ({ node }: { readonly node: ClusterNode }) => {
      const slots = await node.admin.cluster("SLOTS");
      return new Map(slots.map(([, , primary]) => [primary?.[1], primary?.[0]]));
    };
    const expected = new Map(nodes.map(({ node }) => [node.port, node === first.node ? "localhost" : "?"]));
    for (const node of nodes) await expect.poll(() => namesBy(node)).toEqual(expected);
    const url = `valkeys+cluster://localhost:${first.tlsPort}`;
    const all = await results({ url, tls: { caFile: own.caFile } });
    expect(all.filter(({ id }) => id === "cluster/nodes")).toMatchObject([
      { level: "ok", status: "3 nodes, all reachable" },
    ]);
  },
);

it.runIf(namesTlsPorts)(
  "the error of a call names the node whose certificate does not fit, and the cause",
  async () => {
    const { cluster, own, nodes, url } = await tlsCluster();
    const namespace = freshNamespace();
    const home = await cluster.ownerOf(metaKey(namespace));
    const victim = nodes.find(({ node }, at) => at > 0 && node !== home);
    if (victim === undefined) throw new Error("The cluster has too few nodes");
    await useCertificate(victim.node, own, await own.issue({ names: "DNS:elsewhere.test" }));
    const latchkey = await client({ url, namespace, tls: { caFile: own.caFile }, timeout: "5s" });
    const made = latchkey.init(PARTITIONS).then(() => latchkey.machine(agent()));
    const error = await rejectionOf(NotExecutedError, made);
    expect(error.message.replace(/slot \d+/, "slot N")).toContain(
      `cannot use Valkey at valkeys://127.0.0.1:${victim.tlsPort}, which holds slot N: the server's certificate is for another name;`,
    );
    expect(error.message).toContain(
      "(the connection is to 127.0.0.1, the certificate for DNS:elsewhere.test)",
    );
  },
);

it.runIf(namesTlsPorts)(
  "the error names the mistake if the nodes do not use TLS, or if only the client does not",
  async () => {
    const { cluster, own, nodes } = await tlsCluster();
    const plain = cluster.url.replace("valkey+", "valkeys+");
    const missing = await rejectionOf(ConnectError, connect({ url: plain, tls: { caFile: own.caFile } }));
    expect(missing).toMatchObject({ reason: "tls-missing", address: `valkeys://${cluster.addresses[0]}` });
    const hosts = nodes.map(({ tlsPort }) => `127.0.0.1:${tlsPort}`);
    const required = await rejectionOf(ConnectError, connect({ cluster: hosts }));
    expect(required).toMatchObject({ reason: "tls-required", address: `valkey://${hosts[0]}` });
  },
);
