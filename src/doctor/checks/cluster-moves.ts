import { slotOf } from "../../valkey/cluster/slots.js";
import { allPartitionKeys } from "../../valkey/keys.js";
import { type CheckResult, ok, warn } from "../check-result.js";
import type { DoctorContext } from "../context.js";
import type { Reports } from "../node-states.js";
import { readNamespace } from "./namespace.js";

/** Slots that are marked as moving between the same two nodes. */
export interface Move {
  readonly from: string;
  readonly to: string;
  readonly slots: readonly number[];
}

/** Number of ranges of slots that one result shows. */
const SHOWN = 8;

/** Finds slots of a cluster that are marked as moving, which they also are after a move that was stopped halfway. */
export async function clusterMoves(context: DoctorContext): Promise<CheckResult[]> {
  if (!context.connection.isCluster) return [];
  const id = "cluster/moves";
  const moves = movesIn(await context.reports());
  if (moves.length === 0) return [{ id, ...ok("no slot is moving", "no change waits for a move") }];
  const partitions = await partitionSlots(context);
  return moves.map(({ from, to, slots }) => {
    const status = `${slots.length === 1 ? "slot" : "slots"} ${rangesText(slots)} from ${from} to ${to}`;
    const fix = `if no move is under way, valkey-cli --cluster fix ${from}`;
    return { id, ...warn(status, meaningFor(slots, partitions), fix) };
  });
}

/** Returns the moves that the nodes report, each once, although both nodes of a move report it. */
export function movesIn(all: readonly Reports[]): Move[] {
  const names = new Map(all.flatMap(({ nodes }) => nodes.map(({ id, name }) => [id, name] as const)));
  const slots = new Map<string, { from: string; to: string; slots: Set<number> }>();
  for (const { nodes } of all) {
    for (const { id, moves } of nodes) {
      for (const { slot, direction, other } of moves) {
        const pair = direction === "to" ? [id, other] : [other, id];
        const [from = "", to = ""] = pair.map((one) => names.get(one) ?? one);
        const move = slots.get(`${from} ${to}`) ?? { from, to, slots: new Set() };
        move.slots.add(slot);
        slots.set(`${from} ${to}`, move);
      }
    }
  }
  return [...slots.values()].map((move) => ({ ...move, slots: [...move.slots].sort((a, b) => a - b) }));
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

function meaningFor(slots: readonly number[], partitions: readonly number[] | undefined): string {
  const numbers = partitions?.flatMap((slot, partition) => (slots.includes(slot) ? [partition] : []));
  const alike = "a move that is under way looks the same as one that stopped halfway";
  if (numbers?.length === 0) return `no partition of this namespace is in them; ${alike}`;
  const which =
    numbers === undefined
      ? ""
      : ` of ${numbers.length === 1 ? "partition" : "partitions"} ${rangesText(numbers)}`;
  return `most changes of the entities${which} wait, and end with TRYAGAIN; ${alike}`;
}

function rangesText(slots: readonly number[]): string {
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
