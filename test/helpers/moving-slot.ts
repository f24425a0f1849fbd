import { onTestFinished } from "vitest";
import type { ClusterServers } from "../../faults/servers/cluster.js";
import type { SlotMigration } from "../../faults/servers/slot-migration.js";
import {
  type ConnectOptions,
  defineMachine,
  type Entities,
  type Latchkey,
  partitionOf,
} from "../../src/index.js";
import { useCluster } from "./cluster.js";
import { clusterClient } from "./cluster-clients.js";

const PARTITIONS = 4;

/** All states have timers, so that all keys of a partition exist. */
export const order = defineMachine({
  name: "order",
  version: 1,
  initial: "draft",
  states: {
    draft: { to: ["submitted"], timeout: { after: "1h", to: "submitted" } },
    submitted: { to: ["draft"], timeout: { after: "1h", to: "draft" } },
  },
});

export type OrderState = "draft" | "submitted";

/** IDs of orders. */
export const MANY = Array.from({ length: 40 }, (_, at) => `o${at}`);

/** Returns true for an ID in the partition whose slot moves. */
export function isInside(id: string): boolean {
  return partitionOf(id, PARTITIONS) === 0;
}

/** Orders in a cluster, and a move of the slot of their first partition, key by key. */
export interface MovingSlot {
  readonly cluster: ClusterServers;
  readonly latchkey: Latchkey;
  readonly orders: Entities<OrderState>;
  readonly migration: SlotMigration;
  /** Those of the orders that are in the slot. */
  readonly own: readonly [string, string, ...string[]];
  /** The beginning of all keys in the slot. */
  readonly prefix: string;
  /** Moves all keys that are left to the new node, which does not become the owner yet. */
  moveAll(): Promise<void>;
  /** Moves the rest, and makes the new node the owner. */
  finish(): Promise<void>;
}

/** Creates orders in 4 partitions, and begins to move a slot. */
export async function movingSlot(
  options: ConnectOptions = {},
  servers?: ClusterServers,
  ids: readonly string[] = MANY,
): Promise<MovingSlot> {
  const cluster = servers ?? (await useCluster());
  const latchkey = await clusterClient(cluster, { timeout: "60s", ...options });
  await latchkey.init(PARTITIONS);
  const orders: Entities<OrderState> = await latchkey.machine(order);
  await Promise.all(ids.map((id) => orders.create(id, {}, { durability: "memory" })));
  const prefix = `{${latchkey.namespace}:0}:order:`;
  const slot = await cluster.slotOf(prefix);
  const from = await cluster.owner(slot);
  const to = cluster.nodes.find((node) => node !== from);
  const [first, second, ...rest] = ids.filter(isInside);
  if (to === undefined || first === undefined || second === undefined) throw new Error("Nothing can move");
  const migration = await cluster.beginMigration(slot, to);
  const finish = async () => migration.finish(await cluster.primaries());
  onTestFinished(async () => {
    await finish().catch(() => {}); // it may be finished
  });
  const moveAll = async (): Promise<void> => {
    while ((await migration.moveKeys(100)) > 0);
  };
  return { cluster, latchkey, orders, migration, own: [first, second, ...rest], prefix, moveAll, finish };
}
