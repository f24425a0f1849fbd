import type { Connection } from "../valkey/connection.js";
import { allPartitionKeys, type MachineLocation, type PartitionKeys } from "../valkey/keys.js";

/** One partition of a machine, and the connection to it. */
export interface SweepPartition {
  readonly connection: Connection;
  readonly location: MachineLocation;
  readonly partition: number;
  readonly keys: PartitionKeys;
}

/** Lists all partitions of a machine. */
export function partitionsOf(connection: Connection, location: MachineLocation): SweepPartition[] {
  return allPartitionKeys(location).map((keys, partition) => ({ connection, location, partition, keys }));
}

/** Names the operation in errors and in the log. */
export function sweepName({ location }: Pick<SweepPartition, "location">): string {
  return `sweep ${location.machine}`;
}

/** Returns the command that explains and repairs damage of a machine's data. */
export function repairCommand({ location: { machine, namespace } }: SweepPartition): string {
  return `latchkey fsck --repair -m ${machine}${namespace === "latchkey" ? "" : ` --namespace ${namespace}`}`;
}
