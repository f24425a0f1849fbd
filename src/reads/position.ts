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

/** True if `a` is after `b`. IDs are ASCII, so this is the server's own order. */
export function isAfter(a: Position, b: Position): boolean {
  return a.score > b.score || (a.score === b.score && a.id > b.id);
}

/** True if an entity is in the state of a range, and entered it within the range. */
export function isWithin(
  { state, from, to }: StateRange,
  entity: { readonly state: string; readonly since: string },
): boolean {
  if (state !== entity.state) return false;
  return to - from === ORDINAL_STEP - 1 || from + Date.parse(entity.since) <= to;
}
