import { ask } from "../valkey/ask.js";
import { partitionKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { partitionOf } from "../valkey/partition.js";

/** When the first timer of each of these entities ends, in ms of server time; null where due has none. */
export async function dueOf(
  { connection, location }: MachineStore,
  ids: readonly string[],
): Promise<(number | null)[]> {
  const byPartition = new Map<number, string[]>();
  for (const id of ids) {
    const partition = partitionOf(id, location.partitions);
    const members = byPartition.get(partition) ?? [];
    members.push(id);
    byPartition.set(partition, members);
  }
  const found = new Map<string, number>();
  await ask(connection, `due of ${location.machine}`, (client) =>
    Promise.all(
      [...byPartition].map(async ([partition, members]) => {
        const scores = await client.zmscore(partitionKeys(location, partition).due, ...members);
        for (const [at, id] of members.entries()) {
          const score = scores[at];
          if (score != null) found.set(id, Number(score));
        }
      }),
    ),
  );
  return ids.map((id) => found.get(id) ?? null);
}
