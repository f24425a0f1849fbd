import type { Valkey } from "iovalkey";
import type { Limits } from "../valkey/ask.js";
import { askEach, askReachable } from "../valkey/ask-each.js";
import type { Connection } from "../valkey/connection.js";
import { type MachineLocation, machinesKey, partitionKeys } from "../valkey/keys.js";

/** A machine as one partition holds it. */
export interface InstalledPartition {
  /** The version; null if the machine is not installed there. */
  readonly version: number | null;
  /** Text of the definition. */
  readonly definition: string | null;
  /** True if the partition's list of machines has this version. */
  readonly isListed: boolean;
}

/** Installed version by partition; null if the machine is not installed there. A partition that could not be read is absent. */
export type PartitionVersions = Readonly<Record<number, number | null>>;

/** Reads a machine in all partitions, in their order. Writes nothing, so that it also works on a replica. */
export async function readPartitions(
  connection: Connection,
  location: MachineLocation,
  limits: Limits = {},
): Promise<InstalledPartition[]> {
  return askEach(connection, keysOf(location), `machine ${location.machine}`, questionOf(location), limits);
}

/** The partitions of a machine that can be reached. */
export interface ReachablePartitions {
  readonly partitions: readonly InstalledPartition[];
  /** The servers of the others. */
  readonly away: readonly string[];
}

/** Reads a machine as {@link readPartitions} does, in a cluster without the servers that do not answer soon. */
export async function readReachablePartitions(
  connection: Connection,
  location: MachineLocation,
  limits: Limits = {},
): Promise<ReachablePartitions> {
  const what = `machine ${location.machine}`;
  const question = questionOf(location);
  const { results, away } = await askReachable(connection, keysOf(location), what, question, limits);
  return { partitions: [...results.values()], away };
}

function keysOf({ namespace, partitions }: MachineLocation): string[] {
  return Array.from({ length: partitions }, (_, partition) => machinesKey(namespace, partition));
}

function questionOf(location: MachineLocation) {
  const keys = keysOf(location);
  const read = async (client: Valkey, key: string): Promise<InstalledPartition> => {
    // HMGET also for one field: a user who may only read has no permission for HGET.
    const [[version, definition], [listed]] = await Promise.all([
      client.hmget(partitionKeys(location, keys.indexOf(key)).machine, "version", "definition"),
      client.hmget(key, location.machine),
    ]);
    return {
      version: version == null ? null : Number(version),
      definition: definition ?? null,
      isListed: version != null && listed === version,
    };
  };
  return (client: Valkey, own: readonly string[]) => Promise.all(own.map((key) => read(client, key)));
}

/** Returns the partition with the newest version; undefined if the machine is installed nowhere. */
export function newestOf(partitions: readonly InstalledPartition[]): InstalledPartition | undefined {
  const installed = partitions.filter(({ version }) => version !== null);
  return installed.sort((a, b) => Number(b.version) - Number(a.version))[0];
}

/** Describes versions that differ between the partitions, with a suggested fix; empty if they are equal. */
export function versionsText(versions: PartitionVersions): string {
  const byVersion = new Map<number | null, number[]>();
  for (const [partition, version] of Object.entries(versions))
    byVersion.set(version, [...(byVersion.get(version) ?? []), Number(partition)]);
  if (byVersion.size < 2) return "";
  const parts = [...byVersion].map(([version, numbers]) => {
    const what = version === null ? "is not installed" : `has version ${version}`;
    return `${what} in partition ${rangesText(numbers)}`;
  });
  const newest = Math.max(...[...byVersion.keys()].map(Number));
  return `it ${parts.join(", and ")}; apply version ${newest} again`;
}

/** Formats ascending numbers with ranges: `0-3, 6`. */
function rangesText(numbers: readonly number[]): string {
  const ranges: [from: number, to: number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(", ");
}
