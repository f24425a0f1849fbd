import { ContractError } from "../errors/latchkey-error.js";

/** The index scores an entity by `ordinal(state) × 10^13 + since(ms)`. */
const ORDINAL_STEP = 10 ** 13;

/** A place in the index: by state, then by age in it, then by id. */
export interface Position {
  readonly score: number;
  readonly id: string;
}

/** A stretch of the index: one state, from the longest there on. */
export interface Stretch {
  readonly state: string;
  readonly from: number;
  readonly to: number;
}

/** The stretch of a state, up to those that entered it at `untilMs` (server time). */
export function stretchOf(state: string, ordinal: number, untilMs = ORDINAL_STEP - 1): Stretch {
  const from = ordinal * ORDINAL_STEP;
  return { state, from, to: from + untilMs };
}

/** A position as text that a later call takes. */
export function cursorText({ score, id }: Position): string {
  return `${score}/${id}`;
}

/** Reads a cursor that {@link cursorText} made. */
export function parseCursor(cursor: string): Position {
  const match = /^(\d{1,16})\/(.+)$/.exec(cursor);
  if (match?.[1] === undefined || match[2] === undefined) {
    throw new ContractError("BADARG", "invalid cursor; omit it to start at the beginning");
  }
  return { score: Number(match[1]), id: match[2] };
}

/** True where `a` stands behind `b`. Ids are ASCII, so this is the server's own order. */
export function isBehind(a: Position, b: Position): boolean {
  return a.score > b.score || (a.score === b.score && a.id > b.id);
}
