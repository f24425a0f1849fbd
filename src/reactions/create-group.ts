import type { Valkey } from "iovalkey";
import { type LogStart, laterPosition } from "../events/cursor.js";
import { foundPosition } from "../events/first-positions.js";
import type { Connection } from "../valkey/connection.js";
import { replyCode } from "../valkey/failure.js";
import { idOf, START, streamInfo } from "../valkey/stream.js";

/**
 * Start of a reaction in the log: the end, what was the end at a time in ms, before the oldest entry that is left, or before the first entry ever
 * (`"0-0"`), so that trimmed entries are reported as missed.
 */
export type GroupStart = LogStart | typeof START;

/** Creates the consumer group of a reaction on the event log, unless it exists. */
export async function createLogGroup(
  connection: Connection,
  client: Valkey,
  events: string,
  name: string,
  from: GroupStart,
): Promise<void> {
  if (from === "end" || from === START) return createGroup(client, events, name, from === "end" ? "$" : from);
  if (from !== "start") {
    const position = await foundPosition(connection, client, events, laterPosition("end", from));
    return createGroup(client, events, name, idOf(position));
  }
  const { start, trimmed } = await streamInfo(client, events);
  // Without the number, take would report the trimmed entries as missed.
  await createGroup(client, events, name, start, "ENTRIESREAD", trimmed);
}

/** Creates a consumer group on a stream, unless it exists. */
export async function createGroup(
  client: Valkey,
  key: string,
  name: string,
  from: string,
  ...options: [] | ["ENTRIESREAD", number]
): Promise<void> {
  try {
    await client.call("XGROUP", "CREATE", key, name, from, "MKSTREAM", ...options);
  } catch (error) {
    if (replyCode(error) !== "BUSYGROUP") throw error;
  }
}
