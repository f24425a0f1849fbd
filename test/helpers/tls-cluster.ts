import { Valkey } from "iovalkey";
import { expect, onTestFinished } from "vitest";
import type { ClusterNode } from "../../faults/servers/cluster-node.js";
import { freePort } from "../../src/server/port.js";
import { type Authority, asSettings, authority, type Issued } from "./certificates.js";
import { useCluster } from "./cluster.js";

/** The cluster of this test file, whose nodes have a port with TLS too. */
export interface TlsCluster {
  readonly cluster: Awaited<ReturnType<typeof useCluster>>;
  readonly own: Authority;
  readonly nodes: readonly TlsNode[];
  /** URL with TLS, of the first node. */
  readonly url: string;
}

/** A node, and its port with TLS. */
export interface TlsNode {
  readonly node: ClusterNode;
  readonly tlsPort: number;
}

/** Opens a port with TLS on each node. Waits until each node names those of all others. */
export async function tlsCluster(names = "IP:127.0.0.1,DNS:localhost"): Promise<TlsCluster> {
  const cluster = await useCluster();
  const own = await authority();
  const issued = await own.issue({ names });
  const nodes: TlsNode[] = [];
  for (const node of cluster.nodes) {
    const tlsPort = await freePort();
    await useCertificate(node, own, issued);
    await node.admin.call("CONFIG", "SET", "tls-port", tlsPort, "cluster-announce-tls-port", tlsPort);
    nodes.push({ node, tlsPort });
  }
  const ports = nodes.map(({ tlsPort }) => tlsPort).sort();
  for (const { tlsPort } of nodes) {
    const client = new Valkey({ port: tlsPort, tls: { ca: own.ca, rejectUnauthorized: false } });
    onTestFinished(() => client.disconnect());
    const named = async () => (await client.cluster("SLOTS")).map(([, , primary]) => Number(primary?.[1]));
    await expect.poll(async () => [...new Set(await named())].sort()).toEqual(ports);
  }
  return { cluster, own, nodes, url: `valkeys://127.0.0.1:${nodes[0]?.tlsPort}` };
}

/** Makes a node use a certificate from the next connection on. */
export async function useCertificate(node: ClusterNode, own: Authority, issued: Issued): Promise<void> {
  await node.admin.call("CONFIG", "SET", ...asSettings(own.serverArgs(issued)));
}
