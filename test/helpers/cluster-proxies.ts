import type { ClusterServers } from "../../faults/servers/cluster.js";
import type { ClusterNode } from "../../faults/servers/cluster-node.js";
import type { ClusterOptions } from "../../src/valkey/connection-options.js";
import { startProxy, type TcpProxy } from "./proxy.js";

/** Proxies in front of the nodes of a cluster. */
export interface ClusterProxies {
  /** Option of a client that reaches all nodes through the proxies. */
  readonly cluster: ClusterOptions;
  of(node: ClusterNode): TcpProxy;
}

/** Starts a proxy in front of each present node, for this test. */
export async function clusterProxies({ nodes }: ClusterServers): Promise<ClusterProxies> {
  const proxies = await Promise.all(nodes.map(async ({ port }) => startProxy({ host: "127.0.0.1", port })));
  const places = proxies.map(({ port }) => ({ host: "127.0.0.1", port }));
  const names = nodes.map(({ announced }) => `127.0.0.1:${announced.port}`);
  return {
    cluster: {
      nodes: places.map(({ host, port }) => `${host}:${port}`),
      natMap: Object.fromEntries(places.map((place, at) => [names[at], place])),
    },
    of: (node) => {
      const proxy = proxies[nodes.indexOf(node)];
      if (proxy === undefined) throw new Error("The node has no proxy");
      return proxy;
    },
  };
}
