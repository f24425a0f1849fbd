import type { Valkey } from "iovalkey";
import { type MachineLocation, metaKey, partitionKeys } from "../valkey/keys.js";
import { LAYOUT, MAX_PARTITIONS, readFacts } from "../valkey/layout.js";
import type { Defect } from "./finding.js";

/** Where a machine lives, and what is wrong with what the namespace says about it. */
export interface Facts {
  readonly location: MachineLocation;
  readonly defects: readonly Defect[];
}

/**
 * Reads a namespace's facts, and holds them against the partitions that are there: a machine is in every partition.
 *
 * @throws LayoutError when another version of latchkey wrote the namespace.
 */
export async function checkFacts(client: Valkey, namespace: string, machine: string): Promise<Facts> {
  const key = metaKey(namespace);
  const found = await countPartitions(client, { namespace, machine, partitions: 1 });
  const [layout, partitions, note] = await client.hmget(key, "layout", "partitions", `machine:${machine}`);
  const at = { id: "", key };
  if (layout != null) await readFacts(client, namespace); // throws on another layout
  const isNumber = partitions != null && /^[1-9]\d{0,3}$/.test(partitions);
  const count = isNumber ? Math.min(Number(partitions), MAX_PARTITIONS) : 0;
  // Where more partitions hold the machine than the facts say, the machine is believed.
  const location = { namespace, machine, partitions: Math.max(count, found, 1) };
  const defects: Defect[] = [];
  const cure = (value: number): string =>
    `make sure that ${value} is right, then run: valkey-cli HSET '${key}' layout ${LAYOUT} partitions ${value}`;
  if (layout == null || partitions == null) {
    const message = `${layout == null ? "the layout" : "the number of partitions"} is missing; the machine is in ${found}`;
    defects.push({ ...at, kind: "meta-missing", message, why: cure(found) });
  } else if (!isNumber || found > count) {
    const message = `it says ${JSON.stringify(partitions.slice(0, 20))} partitions, but the machine is in ${found}`;
    defects.push({ ...at, kind: "meta-wrong", message, why: cure(found) });
  }
  if (note == null && found > 0) {
    const message = `machines are listed there, but not ${machine}`;
    defects.push({ ...at, kind: "meta-note", message, why: "apply the definition again" });
  }
  return { location, defects };
}

/** In how many partitions from the first on the machine is; 0 where it is in none. */
async function countPartitions(client: Valkey, location: MachineLocation): Promise<number> {
  for (let partition = 0; partition < MAX_PARTITIONS; partition++) {
    if ((await client.type(partitionKeys(location, partition).machine)) === "none") return partition;
  }
  return MAX_PARTITIONS;
}
