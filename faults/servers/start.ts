import { ClusterServers } from "./cluster.js";
import { DataNode } from "./node.js";
import { freePort } from "./ports.js";
import { SentinelServers } from "./sentinel.js";
import type { Servers, ServersOptions } from "./servers.js";

/** Starts the servers of a run, and waits until they serve. */
export async function startServers(options: ServersOptions): Promise<Servers> {
  switch (options.topology) {
    case "standalone":
      return startStandalone(options);
    case "sentinel":
      return SentinelServers.start(options);
    case "cluster":
      return ClusterServers.start({ ...options, replicas: 1 });
  }
}

/** Starts one server with a proxy in front of it. */
export async function startStandalone(
  options: Pick<ServersOptions, "folder" | "settings" | "openProxy">,
): Promise<Servers> {
  const { folder, settings, openProxy } = options;
  const node = await DataNode.start({ name: "primary", port: await freePort(), folder, settings });
  const proxy = await openProxy(node.port);
  return {
    topology: "standalone",
    url: `valkey://127.0.0.1:${proxy.port}`,
    primary: async () => node,
    close: async () => {
      await proxy.close();
      await node.close();
    },
  };
}
