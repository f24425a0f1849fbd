import { refuse } from "../contract/arguments.js";

/** The index scores an entity by `ordinal(state) × 10^13 + since(ms)`. */
export const ORDINAL_STEP = 10 ** 13;

/** A position in the index. The order is by state, then longest in it first, then by id. */
export interface Position {
  readonly score: number;
  readonly id: string;
}

/** The scores of one state in the index, from the entity that has been in it longest. */
export interface StateRange {
  readonly state: string;
  readonly from: number;
  readonly to: number;
}

/** Returns the range of a state, up to the entities that entered it at `untilMs` (server time). */
export function stateRange(state: string, ordinal: number, untilMs = ORDINAL_STEP - 1): StateRange {
  const from = ordinal * ORDINAL_STEP;
  return { state, from, to: from + untilMs };
}

/** Formats a position as a cursor. */
export function cursorText({ score, id }: Position): string {
  return `${score}/${id}`;
}

/** Reads a cursor that {@link cursorText} made. */
export function parseCursor(cursor: string): Position {
  const match = /^(\d{1,16})\/(.+)$/.exec(cursor);
  if (match?.[1] === undefined || match[2] === undefined)
    refuse("invalid cursor; omit it to start at the beginning");
  return { score: Number(match[1]), id: match[2] };
}

/** True if `a` is after `b`. IDs are ASCII, so this is the server's own order. */
export function isAfter(a: Position, b: Position): boolean {
  return a.score > b.score || (a.score === b.score && a.id > b.id);
}
