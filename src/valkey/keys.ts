import { partitionOf } from "./partition.js";

/** Namespace, partitions and name of a machine, from which its keys are built. */
export interface MachineLocation {
  readonly namespace: string;
  readonly partitions: number;
  readonly machine: string;
}

/** The keys of one machine in one partition. */
export interface PartitionKeys {
  /** Text that all of them begin with. */
  readonly prefix: string;
  readonly machine: string;
  readonly index: string;
  readonly due: string;
  readonly events: string;
}

/** Returns the key of a namespace's layout and number of partitions. */
export function metaKey(namespace: string): string {
  return `{${namespace}}:meta`;
}

/** Returns the key of the names and versions of a partition's machines. */
export function machinesKey(namespace: string, partition: number): string {
  return `{${namespace}:${partition}}:machines`;
}

/** Returns the channel of a machine's changes. */
export function channelOf(location: MachineLocation): string {
  return `${location.namespace}:${location.machine}:events`;
}

function prefix(location: MachineLocation, partition: number): string {
  return `{${location.namespace}:${partition}}:${location.machine}:`;
}

/** Keys of partitions, built once for each location. */
const built = new WeakMap<MachineLocation, PartitionKeys[]>();

/** Returns the keys that all entities of a partition share. */
export function partitionKeys(location: MachineLocation, partition: number): PartitionKeys {
  const known = built.get(location)?.[partition];
  if (known !== undefined) return known;
  const start = prefix(location, partition);
  const keys = {
    prefix: start,
    machine: `${start}machine`,
    index: `${start}index`,
    due: `${start}due`,
    events: `${start}events`,
  };
  const all = built.get(location) ?? [];
  all[partition] = keys;
  built.set(location, all);
  return keys;
}

/** Returns the three keys of the script that installs a machine, in order: machine, index, machines. */
export function applyKeys(location: MachineLocation, partition: number): string[] {
  const { machine, index } = partitionKeys(location, partition);
  return [machine, index, machinesKey(location.namespace, partition)];
}

/** Returns the keys of each partition, partition 0 first. */
export function allPartitionKeys(location: MachineLocation): PartitionKeys[] {
  return Array.from({ length: location.partitions }, (_, partition) => partitionKeys(location, partition));
}

/** Returns the key of an entity's hash. */
export function entityKey(location: MachineLocation, id: string): string {
  return `${prefix(location, partitionOf(id, location.partitions))}id:${id}`;
}

/** Returns the key of an entity's log. */
export function logKey(location: MachineLocation, id: string): string {
  return `${prefix(location, partitionOf(id, location.partitions))}log:${id}`;
}

/** Returns the six keys of every entity script, in order: entity, log, machine, index, due, events. */
export function entityKeys(location: MachineLocation, id: string): string[] {
  const partition = partitionOf(id, location.partitions);
  const { prefix, machine, index, due, events } = partitionKeys(location, partition);
  return [`${prefix}id:${id}`, `${prefix}log:${id}`, machine, index, due, events];
}

/** Keys of one reaction in one partition, in the order of its scripts' KEYS. */
export interface ReactionKeys {
  readonly events: string;
  /** Stream of events that are no longer retried. */
  readonly deadLetters: string;
  /** Hash: which replica handles which event of which entity. */
  readonly assignments: string;
  /** Sorted set: the time of each replica's last heartbeat. */
  readonly lastSeen: string;
  /** Hash of the settings that all replicas share. After `forget` it notes for a day that the reaction was forgotten. */
  readonly settings: string;
  /** Sorted set of the events that wait until an earlier one of their entity is finished. */
  readonly waiting: string;
}

/** Builds the keys of a reaction in a partition. */
export function reactionKeys(location: MachineLocation, partition: number, reaction: string): ReactionKeys {
  const start = `${prefix(location, partition)}reaction:${reaction}:`;
  return {
    events: partitionKeys(location, partition).events,
    deadLetters: `${start}dead`,
    assignments: `${start}held`,
    lastSeen: `${start}seen`,
    settings: `${start}rules`,
    waiting: `${start}waiting`,
  };
}
