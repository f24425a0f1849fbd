import { slotOf } from "../../valkey/cluster/slots.js";
import { allPartitionKeys } from "../../valkey/keys.js";
import { type CheckResult, ok, warn } from "../check-result.js";
import { afterRevival, fixCommand } from "../cluster-fix.js";
import type { DoctorContext } from "../context.js";
import { combineReports, type Reports } from "../node-states.js";
import { readNamespace } from "./namespace.js";

/** Slots that are marked as moving between the same two nodes. */
export interface Move {
  readonly from: string;
  readonly to: string;
  readonly slots: readonly number[];
  /** The node that alone has the mark, although the other one replies too; undefined if that is not so. */
  readonly only: Mark | undefined;
}

/** A node of a move that has its mark: the one that gives the slot, or the one that receives it. */
type Mark = "from" | "to";

/** Number of ranges of slots that one result shows. */
const SHOWN = 8;

/** Finds slots of a cluster that are marked as moving, which they also are after a move that was stopped halfway. */
export async function clusterMoves(context: DoctorContext): Promise<CheckResult[]> {
  if (!context.connection.isCluster) return [];
  const id = "cluster/moves";
  const reports = await context.allReports();
  const states = combineReports(reports);
  const moves = movesIn(reports);
  if (moves.length === 0) return [{ id, ...ok("no slot is moving", "no change waits for a move") }];
  const partitions = await partitionSlots(context);
  return moves.map((move) => {
    const { from, to, slots, only } = move;
    const mark = only === undefined ? "" : `, marked only at ${move[only]}`;
    const status = `${slots.length === 1 ? "slot" : "slots"} ${rangesText(slots)} from ${from} to ${to}${mark}`;
    const fix = `if no move is under way, ${fixCommand(from, states)}`;
    return { id, ...warn(status, meaningOf(move, partitions), afterRevival(fix, states)) };
  });
}

/** Returns the moves that the primaries report, each once, although both nodes of a move report it. */
export function movesIn(all: readonly Reports[]): Move[] {
  const names = new Map(all.flatMap(({ nodes }) => nodes.map(({ id, name }) => [id, name] as const)));
  // A replica repeats the marks of its primary.
  const own = all.flatMap(({ nodes }) =>
    nodes.filter(({ flags, primary }) => flags.has("myself") && !primary),
  );
  const marks = new Map<string, Set<Mark>>();
  for (const { id, moves } of own) {
    for (const { slot, direction, other } of moves) {
      const isFrom = direction === "to";
      const place = isFrom ? `${slot} ${id} ${other}` : `${slot} ${other} ${id}`;
      marks.set(place, (marks.get(place) ?? new Set<Mark>()).add(isFrom ? "from" : "to"));
    }
  }
  const moves = new Map<string, Omit<Move, "slots"> & { readonly slots: number[] }>();
  for (const [place, sides] of marks) {
    const [slot, ...ids] = place.split(" ");
    const [from = "", to = ""] = ids.map((id) => names.get(id) ?? id);
    const isKnown = ids.every((id) => own.some((node) => node.id === id));
    const only = isKnown && sides.size === 1 ? [...sides][0] : undefined;
    const key = `${from} ${to} ${only}`;
    const move = moves.get(key) ?? { from, to, only, slots: [] };
    move.slots.push(Number(slot));
    moves.set(key, move);
  }
  return [...moves.values()].map((move) => ({ ...move, slots: move.slots.sort((x, y) => x - y) }));
}

/** Returns the slot of each partition of the namespace; undefined if they are unknown. */
async function partitionSlots(context: DoctorContext): Promise<readonly number[] | undefined> {
  try {
    const { partitions = 0 } = await readNamespace(context);
    return allPartitionKeys({ ...context.location, partitions }).map(({ machine }) => slotOf(machine));
  } catch {
    return undefined; // the check of the namespace reports it
  }
}

function meaningOf({ from, slots, only }: Move, partitions: readonly number[] | undefined): string {
  const numbers = partitions?.flatMap((slot, partition) => (slots.includes(slot) ? [partition] : []));
  if (only === "to")
    return `no call waits: ${from} still serves all keys of the slot, except those that cluster/keys reports`;
  const alike =
    only === "from"
      ? "no key can move"
      : "a move that is under way looks the same as one that stopped halfway";
  if (numbers?.length === 0) return `no partition of this namespace is in them; ${alike}`;
  const which =
    numbers === undefined
      ? ""
      : ` of ${numbers.length === 1 ? "partition" : "partitions"} ${rangesText(numbers)}`;
  return only === "from"
    ? `new entities${which}, and changes if no entity there has a timer, wait and end with TRYAGAIN; ${alike}, so other calls succeed`
    : `most changes of the entities${which} wait, and end with TRYAGAIN; ${alike}`;
}

/** Lists slots or partitions as ranges. */
export function rangesText(slots: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const slot of slots) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === slot - 1) last[1] = slot;
    else ranges.push([slot, slot]);
  }
  const texts = ranges
    .slice(0, SHOWN)
    .map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`));
  const rest = ranges.slice(SHOWN).reduce((sum, [first, last]) => sum + last - first + 1, 0);
  return texts.join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
