import type { Valkey } from "iovalkey";
import { LayoutError } from "../errors/layout-error.js";
import { metaKey } from "./keys.js";

/** The layout of keys and fields that this version reads and writes. */
export const LAYOUT = 1;

/** More partitions than a cluster has use for. */
export const MAX_PARTITIONS = 4096;

/** How a field of the facts that names a machine begins. */
const MACHINE_MARK = "machine:";

/** What a namespace is fixed to. */
export interface NamespaceFacts {
  readonly layout: number;
  readonly partitions: number;
}

/**
 * Reads what a namespace is fixed to; undefined for a fresh one.
 *
 * @throws LayoutError when another version of latchkey wrote it.
 */
export async function readFacts(client: Valkey, namespace: string): Promise<NamespaceFacts | undefined> {
  const [layout, partitions] = await client.hmget(metaKey(namespace), "layout", "partitions");
  if (layout == null && partitions == null) return undefined;
  if (layout !== String(LAYOUT)) {
    throw new LayoutError(
      `namespace "${namespace}" has layout ${layout ?? "none"}, this version of latchkey works with ${LAYOUT}; use the version that wrote it`,
    );
  }
  // Another client is between the two steps of initialising it.
  if (partitions == null) return undefined;
  return { layout: LAYOUT, partitions: Number(partitions) };
}

/**
 * Fixes a fresh namespace to a number of partitions; leaves an initialised one as it is. Of several callers at once
 * one wins, and all get the winner's facts.
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

/** Notes in the namespace's facts that a machine is installed, so that operators can list machines. */
export async function noteMachine(client: Valkey, namespace: string, machine: string): Promise<void> {
  await client.hset(metaKey(namespace), `${MACHINE_MARK}${machine}`, "1");
}

/** The names of the machines that were ever installed in a namespace. */
export async function notedMachines(client: Valkey, namespace: string): Promise<string[]> {
  const fields = await client.hkeys(metaKey(namespace));
  return fields
    .flatMap((field) => (field.startsWith(MACHINE_MARK) ? [field.slice(MACHINE_MARK.length)] : []))
    .sort();
}
