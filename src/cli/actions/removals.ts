import { parseChange } from "../../contract/document.js";
import { ask } from "../../valkey/ask.js";
import { partitionKeys } from "../../valkey/keys.js";
import type { MachineStore } from "../../valkey/machine-store.js";
import { partitionOf } from "../../valkey/partition.js";

/** The removal of an entity that no longer exists. */
export interface Removal {
  /** Time of the removal. */
  readonly at: string;
  /** Idempotency key of the removal, if it had one and the event log still contains it. */
  readonly op: string | undefined;
}

/** Finds the removals of entities by their tombstones, of which the newest 100,000 of a partition are kept. */
export async function removalsOf(
  store: MachineStore,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Removal>> {
  const { location, connection } = store;
  const removals = new Map<string, Removal>();
  const reads = ids.map(async (id) => {
    const { index, events } = partitionKeys(location, partitionOf(id, location.partitions));
    await ask(connection.of(index), `removed IDs of ${location.machine}`, async (client) => {
      // A tombstone has the score -(ms * 1024 + sequence), which is the position of the removal in the event log.
      const score = -Number((await client.zscore(index, id)) ?? 0);
      if (!(score > 0)) return;
      const ms = Math.floor(score / 1024);
      const position = `${ms}-${score % 1024}`;
      const [entry] = await client.xrange(events, position, position);
      const change = parseChange(location.machine, entry?.[1][1] ?? "");
      const op = typeof change === "string" ? undefined : change.op;
      removals.set(id, { at: new Date(ms).toISOString(), op });
    });
  });
  await Promise.all(reads);
  return removals;
}
