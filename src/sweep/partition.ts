import type { Connection } from "../valkey/connection.js";
import { allPartitionKeys, type MachineLocation, type PartitionKeys } from "../valkey/keys.js";

/** One partition of a machine, as a sweep works on it. */
export interface SweepPart {
  readonly connection: Connection;
  readonly location: MachineLocation;
  readonly partition: number;
  readonly keys: PartitionKeys;
}

/** All partitions of a machine. */
export function partsOf(connection: Connection, location: MachineLocation): SweepPart[] {
  return allPartitionKeys(location).map((keys, partition) => ({ connection, location, partition, keys }));
}

/** The question of a sweep, for errors and the log. */
export function sweepOf({ location }: SweepPart): string {
  return `sweep ${location.machine}`;
}

/** The command that looks at a machine's data, and mends what follows from the rest. */
export function mending({ location: { machine, namespace } }: SweepPart): string {
  return `latchkey fsck --repair -m ${machine}${namespace === "latchkey" ? "" : ` --namespace ${namespace}`}`;
}
