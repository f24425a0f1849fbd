import type { Valkey } from "iovalkey";
import { LayoutError } from "../errors/layout-error.js";
import { machinesKey, metaKey } from "./keys.js";

/** The layout of keys and fields that this version reads and writes. */
export const LAYOUT = 2;

/** Largest number of partitions. */
export const MAX_PARTITIONS = 4096;

/** Number of partitions of a namespace in a cluster that is created without one: enough for a dozen servers. */
export const CLUSTER_PARTITIONS = 64;

/** Fixed settings of a namespace. */
export interface NamespaceFacts {
  readonly layout: number;
  readonly partitions: number;
}

/**
 * Reads the fixed settings of a namespace; undefined for a fresh one.
 *
 * @throws LayoutError if another version of latchkey wrote it
 */
export async function readFacts(client: Valkey, namespace: string): Promise<NamespaceFacts | undefined> {
  const [layout, partitions] = await client.hmget(metaKey(namespace), "layout", "partitions");
  if (layout == null && partitions == null) return undefined;
  if (layout !== String(LAYOUT)) {
    throw new LayoutError(
      `namespace "${namespace}" has layout ${layout ?? "none"}, this version of latchkey works with ${LAYOUT}; use the version that wrote it, or another namespace`,
    );
  }
  // Another client is between the two steps of `initialise`.
  if (partitions == null) return undefined;
  return { layout: LAYOUT, partitions: Number(partitions) };
}

/**
 * Fixes a fresh namespace to a number of partitions; does not change an initialised one. If several callers race, one wins,
 * and all get its settings.
 */
export async function initialise(
  client: Valkey,
  namespace: string,
  partitions: number,
): Promise<NamespaceFacts> {
  const key = metaKey(namespace);
  await client.hsetnx(key, "layout", String(LAYOUT));
  await readFacts(client, namespace); // throws on another layout, before anything is added to it
  await client.hsetnx(key, "partitions", String(partitions));
  const facts = await readFacts(client, namespace);
  if (facts === undefined)
    throw new LayoutError(`namespace "${namespace}" was deleted during its initialisation`);
  return facts;
}

/** Reads the names of all machines that were ever installed in a namespace, from one of its partitions. */
export async function installedMachines(client: Valkey, namespace: string, partition = 0): Promise<string[]> {
  return (await client.hkeys(machinesKey(namespace, partition))).sort();
}
