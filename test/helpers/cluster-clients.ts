import { onTestFinished } from "vitest";
import type { ClusterServers } from "../../faults/servers/cluster.js";
import type { ClusterNode } from "../../faults/servers/cluster-node.js";
import { type ConnectOptions, connect, type Entities, type Latchkey, partitionOf } from "../../src/index.js";
import { ownCluster } from "./cluster.js";
import { type DialState, dial } from "./dial.js";
import { freshNamespace } from "./valkey.js";

/** Time limit of calls and polls during a failover on a busy machine. */
export const LONG = { timeout: 90_000 } as const;

/** A client of a cluster, closed when the test has finished. */
export async function clusterClient(
  { url }: ClusterServers,
  options: ConnectOptions = {},
): Promise<Latchkey> {
  const latchkey = await connect({ url, namespace: freshNamespace(), ...options });
  onTestFinished(() => latchkey.close());
  return latchkey;
}

/** Replicas of one program in a namespace of a cluster. */
export interface ClusterReplicas {
  readonly namespace: string;
  readonly partitions: number;
  /** The entities of each replica, which has its own client. */
  readonly list: readonly [Entities<DialState>, ...Entities<DialState>[]];
}

/** Connects replicas of one program to a new namespace. */
export async function clusterReplicas(
  cluster: ClusterServers,
  count: number,
  partitions: number,
): Promise<ClusterReplicas> {
  const first = await clusterClient(cluster);
  await first.init(partitions);
  const { namespace } = first;
  const rest = await Promise.all(
    Array.from({ length: count - 1 }, () => clusterClient(cluster, { namespace })),
  );
  const more = await Promise.all(rest.map((one) => one.machine(dial)));
  return { namespace, partitions, list: [await first.machine(dial), ...more] };
}

/** Starts a cluster of three primaries that serves the slots of the others while a primary is down. */
export async function mortalCluster(replicas: number): Promise<ClusterServers> {
  return ownCluster({
    replicas,
    nodeTimeoutMs: 2_000,
    settings: { "cluster-require-full-coverage": "no" },
  });
}

/** Returns the server that holds the first partition, and which entities it holds. */
export async function firstServer(
  cluster: ClusterServers,
  { namespace, partitions }: Pick<ClusterReplicas, "namespace" | "partitions">,
): Promise<{ readonly server: ClusterNode; readonly holds: (id: string) => boolean }> {
  const slots = await Promise.all(
    Array.from({ length: partitions }, (_, partition) => cluster.slotOf(`{${namespace}:${partition}}`)),
  );
  const server = await cluster.owner(slots[0] ?? 0);
  const view = await server.view();
  return {
    server,
    holds: (id) => view.ownerOf(slots[partitionOf(id, partitions)] ?? 0) === server.id,
  };
}
