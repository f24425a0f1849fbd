import { refuse, shortText } from "../contract/arguments.js";

/**
 * Positions in a machine's event log, one per partition: after an entry, such as `1763807223197-0@9f86d081`, or only a
 * stream ID, such as `1763807223197-0`. `0-0` is before the first entry.
 */
export type Positions = readonly string[];

const POSITION = /^\d{1,20}-\d{1,20}(@[0-9a-f]{8})?$/;
const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;

/** Formats positions as text, separated by commas. */
export function logCursor(positions: Positions): string {
  return positions.join(",");
}

/**
 * Parses a cursor that {@link logCursor} made.
 *
 * @throws ContractError (BADARG) if it is malformed, or if its number of partitions is not that of the namespace.
 */
export function parseLogCursor(cursor: unknown, partitions: number): string[] {
  const positions = typeof cursor === "string" ? cursor.split(",") : [""];
  if (!positions.every((position) => POSITION.test(position))) {
    refuse(
      `after: ${shortText(cursor)} is not a cursor; use "start", "end" or a cursor of this log, such as ` +
        "1763807223197-0, or a time, such as 2026-11-30T12:00:00Z",
    );
  }
  if (positions.length !== partitions)
    refuse(`after: the cursor has ${positions.length} partitions, but the log has ${partitions}`);
  return positions;
}

/** Reads a time: a Date, or ISO 8601 text with a time zone. @returns ms; undefined for any other value */
export function timeOf(after: unknown): number | undefined {
  const isTime = after instanceof Date || (typeof after === "string" && ISO_TIME.test(after));
  const ms = isTime ? new Date(after).getTime() : Number.NaN;
  return ms >= 0 ? ms : undefined;
}
