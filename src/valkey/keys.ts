import { partitionOf } from "./partition.js";

/** Where one machine's data of one namespace lives. */
export interface Place {
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
export function channelOf(place: Place): string {
  return `${place.namespace}:${place.machine}:events`;
}

function prefix(place: Place, partition: number): string {
  return `{${place.namespace}:${partition}}:${place.machine}:`;
}

/** The keys that all entities of a partition share. */
export function partitionKeys(place: Place, partition: number): PartitionKeys {
  const start = prefix(place, partition);
  return { machine: `${start}machine`, index: `${start}index`, due: `${start}due`, events: `${start}events` };
}

/** Every partition's keys, partition 0 first. */
export function allPartitionKeys(place: Place): PartitionKeys[] {
  return Array.from({ length: place.partitions }, (_, partition) => partitionKeys(place, partition));
}

/** The hash of one entity. */
export function entityKey(place: Place, id: string): string {
  return `${prefix(place, partitionOf(id, place.partitions))}id:${id}`;
}

/** The list of one entity's last changes. */
export function logKey(place: Place, id: string): string {
  return `${prefix(place, partitionOf(id, place.partitions))}log:${id}`;
}

/** The six keys every entity script takes, in their order: entity, log, machine, index, due, events. */
export function entityKeys(place: Place, id: string): string[] {
  const keys = partitionKeys(place, partitionOf(id, place.partitions));
  return [entityKey(place, id), logKey(place, id), keys.machine, keys.index, keys.due, keys.events];
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
export function reactionKeys(place: Place, partition: number, reaction: string): ReactionKeys {
  const start = `${prefix(place, partition)}reaction:${reaction}:`;
  return {
    events: partitionKeys(place, partition).events,
    dead: `${start}dead`,
    held: `${start}held`,
    seen: `${start}seen`,
    rules: `${start}rules`,
  };
}
