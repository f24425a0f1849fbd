import type { ClusterServers } from "../../faults/servers/cluster.js";
import type { ClusterNode } from "../../faults/servers/cluster-node.js";
import { type Entities, type Latchkey, partitionOf } from "../../src/index.js";
import { ownCluster } from "./cluster.js";
import { clusterClient } from "./cluster-clients.js";
import { type DialState, dial } from "./dial.js";
import { freshNamespace } from "./valkey.js";

/** IDs of entities in all partitions. */
const IDS = Array.from({ length: 48 }, (_, at) => `x${at}`);
const PARTITIONS = 16;

/** A cluster of which the server of the first and the last partition is down, and which has no replicas. */
export interface PartlyDown {
  readonly cluster: ClusterServers;
  readonly namespace: string;
  /** The server that is down. It does not hold the facts of the namespace. */
  readonly server: ClusterNode;
  /** URL of the server that is down. */
  readonly address: string;
  /** The partitions that the server holds. */
  readonly lostPartitions: readonly number[];
  /** Entities of other servers, in state `a`. */
  readonly ids: readonly string[];
  /** Entities of the server that is down. */
  readonly lostIds: readonly string[];
}

/** @param prepare called with a client before the server is killed */
export async function partlyDown(
  prepare: (
    latchkey: Latchkey,
    dials: Entities<DialState>,
    down: Omit<PartlyDown, "address">,
  ) => Promise<unknown> = async () => {},
): Promise<PartlyDown> {
  const cluster = await ownCluster({
    nodeTimeoutMs: 2_000,
    settings: { "cluster-require-full-coverage": "no", appendonly: "yes" },
  });
  const namespace = await namespaceAcross(cluster);
  const latchkey = await clusterClient(cluster, { namespace });
  await latchkey.init(PARTITIONS);
  const dials = await latchkey.machine(dial);
  await Promise.all(IDS.map((id) => dials.create(id)));
  const server = await cluster.ownerOf(`{${namespace}:0}`);
  const view = await server.view();
  const partitions = await Promise.all(
    Array.from({ length: PARTITIONS }, async (_, partition) => {
      const slot = await cluster.slotOf(`{${namespace}:${partition}}`);
      return view.ownerOf(slot) === server.id;
    }),
  );
  const isLost = (id: string): boolean => partitions[partitionOf(id, PARTITIONS)] === true;
  const lostPartitions = [...partitions.keys()].filter((partition) => partitions[partition]);
  const ids = { ids: IDS.filter((id) => !isLost(id)), lostIds: IDS.filter(isLost) };
  const down = { cluster, namespace, server, lostPartitions, ...ids };
  await prepare(latchkey, dials, down);
  await latchkey.close();
  await server.server.kill9();
  return { ...down, address: `valkey://127.0.0.1:${server.announced.port}` };
}

/** Names a namespace whose first and last partition are on one server, and whose facts are on another one. */
async function namespaceAcross(cluster: ClusterServers): Promise<string> {
  for (;;) {
    const namespace = freshNamespace();
    const tags = [`{${namespace}:0}`, `{${namespace}:${PARTITIONS - 1}}`, `{${namespace}}`];
    const [first, last, home] = await Promise.all(tags.map((tag) => cluster.ownerOf(tag)));
    if (first === last && first !== home) return namespace;
  }
}
