import type { Valkey } from "iovalkey";
import { askReachable } from "../valkey/ask-each.js";
import type { Connection } from "../valkey/connection.js";
import { allPartitionKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { readLag, readServerTime } from "../valkey/server-clock.js";
import { endPositionOf, isLater, justBefore, START, startOf } from "../valkey/stream.js";
import { type LogStart, laterPosition, startLater } from "./cursor.js";

/** Reads the position in one partition to start from. An end that lies after a time is not skipped. */
export async function firstPosition(client: Valkey, events: string, start: LogStart): Promise<string> {
  if (start === "start") return startOf(client, events);
  const end = await endPositionOf(client, events);
  if (start === "end") return end;
  const time = justBefore(`${start}-0`);
  return isLater(time, end) ? end : time;
}

/**
 * Reads the position in a partition that has a text of `laterPosition`. A server whose clock is behind dates changes back:
 * the start is earlier by that time. If changes after the start were trimmed, the position is before them, so that they are
 * noticed.
 *
 * @param client one of the server that holds the partition
 */
export async function foundPosition(
  connection: Connection,
  client: Valkey,
  events: string,
  later: string,
): Promise<string> {
  const wanted = startLater(later);
  if (wanted === undefined) return later;
  if (wanted.from === "time") return firstPosition(client, events, wanted.ms);
  const others = connection.servers().flatMap((server) => (server.isReady ? server.client : []));
  const ms = Math.max(0, wanted.ms - (await readLag(client, others)));
  if (wanted.from === "end") return firstPosition(client, events, ms);
  const position = await firstPosition(client, events, "start");
  return isLater(position, `${ms}-0`) ? START : position;
}

/**
 * Reads the positions in all partitions to start from. In a cluster, a partition whose server is unreachable gets one that
 * is found when it is first read: the end is then that of now, by the clocks of the other servers.
 *
 * @throws NotExecutedError if no server answers
 */
export async function firstPositions(
  { connection, location }: Omit<MachineStore, "definition">,
  start: LogStart,
  what: string,
): Promise<string[]> {
  const keys = allPartitionKeys(location).map(({ events }) => events);
  const { results } = await askReachable(connection, keys, what, async (client, own) => {
    const [{ nowMs }, ...positions] = await Promise.all([
      readServerTime(client),
      ...own.map((events) => firstPosition(client, events, start)),
    ]);
    return positions.map((position) => ({ position, nowMs }));
  });
  const now = Math.min(...Array.from(results.values(), ({ nowMs }) => nowMs));
  const later = laterPosition(start, now);
  return keys.map((_, partition) => results.get(partition)?.position ?? later);
}
