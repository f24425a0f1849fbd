import { type MachineLocation, metaKey, partitionKeys } from "../valkey/keys.js";
import { LAYOUT, MAX_PARTITIONS, readFacts } from "../valkey/layout.js";
import type { Defect } from "./finding.js";
import type { PartitionServers } from "./partition-servers.js";

/** Holds the location of a machine and the defects of its namespace's metadata. */
export interface NamespaceCheck {
  readonly location: MachineLocation;
  readonly defects: readonly Defect[];
}

/**
 * Compares a namespace's metadata with the partitions that exist: a machine is in every partition.
 *
 * @throws LayoutError if another version of latchkey wrote the namespace; what `ask` throws.
 */
export async function checkNamespace(
  servers: PartitionServers,
  namespace: string,
  machine: string,
): Promise<NamespaceCheck> {
  const key = metaKey(namespace);
  const [layout, partitions] = await servers.ask(key, async (client) => {
    const fields = await client.hmget(key, "layout", "partitions");
    if (fields[0] != null) await readFacts(client, namespace); // throws on another layout
    return fields;
  });
  const installed = await countPartitions(servers, { namespace, machine, partitions: 1 });
  const at = { id: "", key };
  const isNumber = partitions != null && /^[1-9]\d{0,3}$/.test(partitions);
  const count = isNumber ? Math.min(Number(partitions), MAX_PARTITIONS) : 0;
  // If more partitions have the machine than the metadata says, the metadata is wrong.
  const location = { namespace, machine, partitions: Math.max(count, installed, 1) };
  const defects: Defect[] = [];
  const why = `make sure that ${installed} is right, then run: valkey-cli HSET '${key}' layout ${LAYOUT} partitions ${installed}`;
  if (layout == null || partitions == null) {
    const name = layout == null ? "the layout" : "the number of partitions";
    const message = `${name} is missing; ${installed} partitions have the machine`;
    defects.push({ ...at, kind: "meta-missing", message, why });
  } else if (!isNumber || installed > count) {
    const text = JSON.stringify(partitions.slice(0, 20));
    const message = `it says ${text} partitions, but ${installed} have the machine`;
    defects.push({ ...at, kind: "meta-wrong", message, why });
  }
  return { location, defects };
}

/** Counts the partitions from the first on that have the machine. One whose server is unreachable counts if a later one has it. */
async function countPartitions(servers: PartitionServers, location: MachineLocation): Promise<number> {
  let count = 0;
  for (let partition = 0; partition < MAX_PARTITIONS; partition++) {
    const key = partitionKeys(location, partition).machine;
    try {
      if ((await servers.ask(key, (client) => client.type(key))) === "none") return count;
      count = partition + 1;
    } catch (error) {
      if (!servers.isAway(error)) throw error;
    }
  }
  return count;
}
