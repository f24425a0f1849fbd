import { refuse, shortText } from "../contract/arguments.js";

/**
 * Positions in a machine's event log, one per partition: after an entry, such as `1763807223197-0@9f86d081`, or only a
 * stream ID, such as `1763807223197-0`. `0-0` is before the first entry. A partition that was not reached yet has the text of
 * {@link laterPosition}, also in a stored cursor.
 */
export type Positions = readonly string[];

/** The start of a reader: the oldest entry, the end, or a time in ms. */
export type LogStart = "start" | "end" | number;

const POSITION = /^([set]\d{1,16}|\d{1,20}-\d{1,20}(@[0-9a-f]{8})?)$/;
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

/** Describes where to start in a partition that cannot be read yet. */
export interface LaterStart {
  readonly from: "start" | "end" | "time";
  /** The time to start from; for the start and the end, the time of the call, by the clocks of other servers. */
  readonly ms: number;
}

const LETTERS = { s: "start", e: "end", t: "time" } as const;

/**
 * Formats where to start in a partition that cannot be read yet.
 *
 * @param nowMs time of the call in ms
 * @example laterPosition("end", 1763807223197); // "e1763807223197"
 */
export function laterPosition(start: LogStart, nowMs: number): string {
  return typeof start === "number" ? `t${start}` : `${start === "start" ? "s" : "e"}${nowMs}`;
}

/** Reads a text of {@link laterPosition}; undefined for a position. */
export function startLater(position: string): LaterStart | undefined {
  const [letter, ms] = [position.slice(0, 1), Number(position.slice(1))];
  return letter === "s" || letter === "e" || letter === "t" ? { from: LETTERS[letter], ms } : undefined;
}

/** Reads a time: a Date, or ISO 8601 text with a time zone. @returns ms; undefined for any other value */
export function timeOf(after: unknown): number | undefined {
  const isTime = after instanceof Date || (typeof after === "string" && ISO_TIME.test(after));
  const ms = isTime ? new Date(after).getTime() : Number.NaN;
  return ms >= 0 ? ms : undefined;
}
