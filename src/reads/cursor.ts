import { isId, refuse } from "../contract/arguments.js";
import type { MachineLocation } from "../valkey/keys.js";
import type { Position } from "./position.js";

/** The list that a cursor belongs to: its machine, and its filter as text. */
export interface CursorScope extends MachineLocation {
  readonly filter: string;
}

const RESTART = "omit the cursor to start at the beginning";

/** Formats a position in a list as a cursor, an opaque text without characters that a shell treats specially. */
export function cursorText({ namespace, machine, partitions, filter }: CursorScope, at: Position): string {
  const parts = [namespace, machine, partitions, filter, at.score, at.id];
  return Buffer.from(JSON.stringify(parts)).toString("base64url");
}

/**
 * Reads a cursor that {@link cursorText} made for the same list.
 *
 * @throws ContractError with code BADARG if it is invalid or belongs to another list
 */
export function parseCursor(cursor: string, scope: CursorScope): Position {
  const [namespace, machine, partitions, filter, score, id] = partsOf(cursor);
  const position = { score: Number(score), id: String(id) };
  const own = { namespace, machine, partitions, filter } as CursorScope;
  if (!(position.score >= 0) || !isId(position.id) || cursorText({ ...scope, ...own }, position) !== cursor)
    refuse("invalid cursor; omit it to start at the beginning");
  for (const name of ["namespace", "machine", "partitions"] as const) {
    if (own[name] !== scope[name])
      refuse(`the cursor belongs to ${name} ${own[name]}, not ${scope[name]}; ${RESTART}`);
  }
  if (own.filter !== scope.filter) {
    const [theirs, ours] = [own.filter, scope.filter].map((text) => text || "no filter");
    refuse(`the cursor belongs to a list with ${theirs}, not ${ours}; use the same filter, or ${RESTART}`);
  }
  return position;
}

function partsOf(cursor: string): unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString());
    return Array.isArray(parts) ? parts : [];
  } catch {
    return [];
  }
}
