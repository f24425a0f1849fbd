import { canaryName } from "../../canary/canary.js";
import type { Arena } from "../../fault.js";
import { MachineKeys } from "../../machines/keys.js";
import { SHIFTS, shift } from "../../machines/shift.js";
import { ClusterServers } from "../../servers/cluster.js";
import type { ClusterNode } from "../../servers/cluster-node.js";

/** A primary that holds a partition of the clients, with its replica. */
export interface Shard {
  readonly cluster: ClusterServers;
  readonly primary: ClusterNode;
  readonly replica: ClusterNode;
  /** The slot of the partition. */
  readonly slot: number;
}

/** Returns the cluster of a run. */
export function clusterOf({ servers }: Arena): ClusterServers {
  if (servers instanceof ClusterServers) return servers;
  throw new Error(`This fault needs a cluster, not the topology ${servers.topology}`);
}

/** Chooses a partition, of callers or of timed clients, and returns its slot. */
export async function chooseSlot(arena: Arena): Promise<number> {
  const { random, keys } = arena;
  const timed = new MachineKeys(SHIFTS, shift.name, keys.partitions);
  return clusterOf(arena).slotOf(random.of([...keys.prefixes, ...timed.prefixes]));
}

/** Waits until the cluster is healthy, and chooses a shard that holds a partition of the clients. */
export async function chooseShard(arena: Arena): Promise<Shard> {
  const cluster = clusterOf(arena);
  await cluster.awaitHealth();
  const slot = await chooseSlot(arena);
  const primary = await cluster.owner(slot);
  const [replica] = await cluster.replicasOf(primary);
  if (replica === undefined) throw new Error(`${primary.name} has no replica`);
  return { cluster, primary, replica, slot };
}

/** Returns a name for a namespace whose only partition is at a primary. */
export async function namespaceAt({ cluster, primary }: Shard): Promise<string> {
  for (;;) {
    const namespace = canaryName();
    if ((await cluster.ownerOf(new MachineKeys(namespace, "agent").prefix(0))) === primary) return namespace;
  }
}
