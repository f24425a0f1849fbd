import { partitionOf } from "./partition.js";

/** Where one machine's data of one namespace lives. */
export interface MachineLocation {
  readonly namespace: string;
  readonly partitions: number;
  readonly machine: string;
}

/** The keys of one machine in one partition. */
export interface PartitionKeys {
  readonly machine: string;
  readonly index: string;
  readonly due: string;
  readonly events: string;
}

/** The key that holds a namespace's layout and number of partitions. */
export function metaKey(namespace: string): string {
  return `{${namespace}}:meta`;
}

/** The channel every change of a machine is published on. */
export function channelOf(location: MachineLocation): string {
  return `${location.namespace}:${location.machine}:events`;
}

function prefix(location: MachineLocation, partition: number): string {
  return `{${location.namespace}:${partition}}:${location.machine}:`;
}

/** The keys that all entities of a partition share. */
export function partitionKeys(location: MachineLocation, partition: number): PartitionKeys {
  const start = prefix(location, partition);
  return { machine: `${start}machine`, index: `${start}index`, due: `${start}due`, events: `${start}events` };
}

/** Every partition's keys, partition 0 first. */
export function allPartitionKeys(location: MachineLocation): PartitionKeys[] {
  return Array.from({ length: location.partitions }, (_, partition) => partitionKeys(location, partition));
}

/** The hash of one entity. */
export function entityKey(location: MachineLocation, id: string): string {
  return `${prefix(location, partitionOf(id, location.partitions))}id:${id}`;
}

/** The list of one entity's last changes. */
export function logKey(location: MachineLocation, id: string): string {
  return `${prefix(location, partitionOf(id, location.partitions))}log:${id}`;
}

/** The six keys every entity script takes, in their order: entity, log, machine, index, due, events. */
export function entityKeys(location: MachineLocation, id: string): string[] {
  const keys = partitionKeys(location, partitionOf(id, location.partitions));
  return [entityKey(location, id), logKey(location, id), keys.machine, keys.index, keys.due, keys.events];
}

/** The keys of one reaction in one partition, in the order in which its scripts take them. */
export interface ReactionKeys {
  readonly events: string;
  /** What was given up. */
  readonly dead: string;
  /** Which replica handles which entity's events. */
  readonly held: string;
  /** When each replica was last there. */
  readonly seen: string;
  /** What all replicas must agree on; for a while, that it was forgotten. */
  readonly rules: string;
}

/** The keys of a reaction in a partition. */
export function reactionKeys(location: MachineLocation, partition: number, reaction: string): ReactionKeys {
  const start = `${prefix(location, partition)}reaction:${reaction}:`;
  return {
    events: partitionKeys(location, partition).events,
    dead: `${start}dead`,
    held: `${start}held`,
    seen: `${start}seen`,
    rules: `${start}rules`,
  };
}
