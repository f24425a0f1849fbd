import type { Valkey } from "iovalkey";
import type { Limits } from "../valkey/ask.js";
import { askEach } from "../valkey/ask-each.js";
import type { Connection } from "../valkey/connection.js";
import { allPartitionKeys, type MachineLocation } from "../valkey/keys.js";
import { sendAll } from "../valkey/lean-command.js";

/** Counts the timers of a machine that were overdue at a time, in ms of the server's clock, in constant time. */
export async function countOverdue(
  connection: Connection,
  location: MachineLocation,
  nowMs: number,
  limits: Limits,
): Promise<number> {
  const keys = allPartitionKeys(location).map(({ due }) => due);
  const count = (client: Valkey, own: readonly string[]) =>
    sendAll(
      client,
      own.map((due) => ["zcount", due, "-inf", String(nowMs)] as const),
    ) as Promise<number[]>;
  const counts = await askEach(connection, keys, "overdue timers", count, limits);
  return counts.reduce((total, count) => total + count, 0);
}
