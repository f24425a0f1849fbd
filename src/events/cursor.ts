import { refuse } from "../contract/arguments.js";

/** A place in a machine's event log: the last entry read, of each partition. `0-0` is before the first. */
export type StreamIds = readonly string[];

/** The place as text: an entry id such as `1763807223197-0`, one per partition with commas between them. */
export function logCursor(ids: StreamIds): string {
  return ids.join(",");
}

/**
 * Reads a cursor that {@link logCursor} made.
 *
 * @throws ContractError if it is invalid, or is of a namespace with another number of partitions
 */
export function parseLogCursor(cursor: string, partitions: number): string[] {
  const ids = typeof cursor === "string" ? cursor.split(",") : [""];
  if (!ids.every((id) => /^\d{1,20}-\d{1,20}$/.test(id))) {
    refuse('after must be "start", "end" or a cursor of an event log, such as 1763807223197-0');
  }
  if (ids.length !== partitions) {
    refuse(`after: the cursor is of a log with ${ids.length} partitions, this one has ${partitions}`);
  }
  return ids;
}
