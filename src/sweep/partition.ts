import type { Connection } from "../valkey/connection.js";
import { allPartitionKeys, type PartitionKeys, type Place } from "../valkey/keys.js";

/** One partition of a machine, as a sweep works on it. */
export interface SweepPart {
  readonly connection: Connection;
  readonly place: Place;
  readonly partition: number;
  readonly keys: PartitionKeys;
}

/** All partitions of a machine. */
export function partsOf(connection: Connection, place: Place): SweepPart[] {
  return allPartitionKeys(place).map((keys, partition) => ({ connection, place, partition, keys }));
}

/** The question of a sweep, for errors and the log. */
export function sweepOf({ place }: SweepPart): string {
  return `sweep ${place.machine}`;
}

/** The command that looks at a machine's data, and mends what follows from the rest. */
export function mending({ place: { machine, namespace } }: SweepPart): string {
  return `latchkey fsck --repair -m ${machine}${namespace === "latchkey" ? "" : ` --namespace ${namespace}`}`;
}
