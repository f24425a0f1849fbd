import { countText } from "../../contract/count-text.js";
import { slotOf } from "../../valkey/cluster/slots.js";
import { allPartitionKeys } from "../../valkey/keys.js";
import { type CheckResult, info, ok } from "../check-result.js";
import type { DoctorContext } from "../context.js";
import { readNamespace } from "./namespace.js";

/** Checks that the partitions of the namespace are spread over all primaries of a cluster. */
export async function clusterPartitions(context: DoctorContext): Promise<CheckResult[]> {
  const { connection, location } = context;
  const { partitions } = connection.isCluster ? await readNamespace(context) : {};
  if (partitions === undefined) return [];
  const { map } = await context.view();
  const counts = new Map([...map.primaries.keys()].map((name) => [name, 0]));
  for (const { machine } of allPartitionKeys({ ...location, partitions })) {
    const owner = map.owners[slotOf(machine)] ?? "";
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  const each = [...counts.values()].sort((a, b) => b - a);
  const status = `${countText(partitions, "partition")}, by primary: ${each.join(", ")}`;
  const unused = [...counts].filter(([, count]) => count === 0).map(([name]) => name);
  if (unused.length === 0)
    return [{ id: "cluster/partitions", ...ok(status, "all primaries share the load") }];
  const meaning = `no load for ${unused.join(", ")}; the number of partitions of a namespace is fixed`;
  const fix = "create another namespace with latchkey init --partitions, with more partitions";
  return [{ id: "cluster/partitions", ...info(status, meaning, fix) }];
}
