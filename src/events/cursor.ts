import { refuse, shortText } from "../contract/arguments.js";

/** A position in a machine's event log: the ID of the last entry read, per partition. `0-0` is before the first. */
export type StreamIds = readonly string[];

/** Formats a position as text: entry IDs such as `1763807223197-0`, one per partition, separated by commas. */
export function logCursor(ids: StreamIds): string {
  return ids.join(",");
}

/**
 * Parses a cursor that {@link logCursor} made.
 *
 * @throws ContractError (BADARG) if it is malformed, or if its number of partitions is not that of the namespace.
 */
export function parseLogCursor(cursor: string, partitions: number): string[] {
  const ids = typeof cursor === "string" ? cursor.split(",") : [""];
  if (!ids.every((id) => /^\d{1,20}-\d{1,20}$/.test(id))) {
    refuse(
      `after: ${shortText(cursor)} is not a cursor; use "start", "end" or a cursor of this log, such as 1763807223197-0`,
    );
  }
  if (ids.length !== partitions)
    refuse(`after: the cursor has ${ids.length} partitions, but the log has ${partitions}`);
  return ids;
}
