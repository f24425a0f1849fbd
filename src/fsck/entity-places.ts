import { type MachineLocation, type PartitionKeys, partitionKeys } from "../valkey/keys.js";

/** One partition of a machine. */
export interface Part {
  readonly location: MachineLocation;
  readonly partition: number;
  readonly keys: PartitionKeys;
}

/** The two keys of one entity. */
export interface EntityPlaces {
  readonly entity: string;
  readonly log: string;
}

/** A partition by its number. */
export function partOf(location: MachineLocation, partition: number): Part {
  return { location, partition, keys: partitionKeys(location, partition) };
}

/** What the keys of a partition begin with. */
export function prefixOf({ keys }: Part): string {
  return keys.machine.slice(0, -"machine".length);
}

/** Where an entity's keys are if it lives in this partition, whether its id leads there or not. */
export function placesIn(part: Part, id: string): EntityPlaces {
  const prefix = prefixOf(part);
  return { entity: `${prefix}id:${id}`, log: `${prefix}log:${id}` };
}
