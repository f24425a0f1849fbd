import { partitionOf } from "latchkey";

/** Names the keys of one machine in a namespace. */
export class MachineKeys {
  readonly namespace: string;
  readonly machine: string;
  /** Number of partitions. */
  readonly partitions: number;

  constructor(namespace: string, machine: string, partitions = 1) {
    this.namespace = namespace;
    this.machine = machine;
    this.partitions = partitions;
  }

  /** The prefix of the keys in each partition, partition 0 first. */
  get prefixes(): string[] {
    return Array.from({ length: this.partitions }, (_, partition) => this.prefix(partition));
  }

  /** Returns the prefix of the keys in one partition. */
  prefix(partition: number): string {
    return `{${this.namespace}:${partition}}:${this.machine}:`;
  }

  /** Returns the partition of an entity. */
  partitionOf(id: string): number {
    return partitionOf(id, this.partitions);
  }

  /** Returns the six keys of an entity, in their order. */
  ofEntity(id: string): string[] {
    const prefix = this.prefix(this.partitionOf(id));
    return [`id:${id}`, `log:${id}`, "machine", "index", "due", "events"].map((part) => prefix + part);
  }
}
