import type { Valkey } from "iovalkey";
import { ask } from "../valkey/ask.js";
import type { Connection } from "../valkey/connection.js";
import { type MachineLocation, type PartitionKeys, partitionKeys } from "../valkey/keys.js";

/** One partition of a machine, and the connection to it. */
export class SweepPartition {
  readonly connection: Connection;
  readonly location: MachineLocation;
  readonly partition: number;
  readonly keys: PartitionKeys;

  constructor(connection: Connection, location: MachineLocation, partition: number) {
    this.connection = connection;
    this.location = location;
    this.partition = partition;
    this.keys = partitionKeys(location, partition);
  }

  /** Asks the server a question. @throws NotExecutedError if there is no reply, or an error */
  ask<T>(question: (client: Valkey) => Promise<T>): Promise<T> {
    return ask(this.connection, `sweep ${this.location.machine}`, question);
  }

  /** The command that explains and repairs damage of the machine's data. */
  get repairCommand(): string {
    const { machine, namespace } = this.location;
    return `latchkey fsck --repair -m ${machine}${namespace === "latchkey" ? "" : ` --namespace ${namespace}`}`;
  }
}

/** Lists all partitions of a machine. */
export function partitionsOf(connection: Connection, location: MachineLocation): SweepPartition[] {
  return Array.from(
    { length: location.partitions },
    (_, partition) => new SweepPartition(connection, location, partition),
  );
}
