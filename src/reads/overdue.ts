import type { Valkey } from "iovalkey";
import { allPartitionKeys, type MachineLocation } from "../valkey/keys.js";
import { readServerTime } from "../valkey/server-clock.js";

/** Counts the timers of a machine that are overdue by the server's clock, in constant time. */
export async function countOverdue(client: Valkey, location: MachineLocation): Promise<number> {
  const { nowMs } = await readServerTime(client);
  const counts = await Promise.all(
    allPartitionKeys(location).map(({ due }) => client.zcount(due, "-inf", nowMs)),
  );
  return counts.reduce((total, count) => total + count, 0);
}
