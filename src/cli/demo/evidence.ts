import type { Change, Snapshot } from "../../contract/document.js";
import type { CompiledMachine } from "../../machine/compiled.js";
import type { Call, Exit, RanOut } from "./messages.js";

/** One agent's process, as its owner saw it. */
export interface Ending {
  readonly pid: number | undefined;
  readonly exit: Exit;
  /** Whether the operator had ordered to kill it. */
  readonly killOrdered: boolean;
}

/** Everything that was seen from outside, and what the replicas say. */
export interface Evidence {
  readonly machine: Pick<CompiledMachine, "initial" | "states">;
  /** The replicas that raced. */
  readonly replicas: readonly string[];
  /** The one of them that was killed. */
  readonly killed: string;
  /** The agents that it left behind: it had started them, and nobody saw their end. */
  readonly orphans: ReadonlySet<string>;
  /** The length of a lease, in ms. */
  readonly leaseMs: number;
  /** The durable event log, oldest first: the documents' texts. */
  readonly log: readonly string[];
  /** What was published, in order: the texts. */
  readonly published: readonly string[];
  /** Each agent as it is at the end. */
  readonly finals: ReadonlyMap<string, Snapshot | null>;
  /** Agents by state, as the index counts them. */
  readonly counts: Readonly<Record<string, number>>;
  /** Each call of each replica, and what it was told. */
  readonly calls: readonly (Call & { readonly replica: string })[];
  /** Each lease that a sweep recorded as run out, and whose sweep. */
  readonly ranOut: readonly (RanOut & { readonly replica: string })[];
  /** How each process ended, of all that are no orphans. */
  readonly endings: ReadonlyMap<string, Ending>;
}

/** One thing that was checked. */
export interface Check {
  /** A stable name for programs. */
  readonly name: string;
  /** What holds, with figures, in a line. */
  readonly text: string;
  /** What contradicts it; none where it holds. */
  readonly faults: readonly string[];
}

/** The log, read and sorted out. */
export interface Histories {
  readonly changes: readonly Change[];
  /** Each agent's changes, in the order of the log. */
  readonly byId: ReadonlyMap<string, readonly Change[]>;
}

/** Whether a change was made by a sweep, for something that ran out: all that replicas do has an op. */
export function isBySweep({ actor, op }: Change): boolean {
  return actor === "latchkey" && op === undefined;
}

/** Sorts items into groups, each in their order. */
export function groupBy<T>(items: Iterable<T>, keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group === undefined) groups.set(keyOf(item), [item]);
    else group.push(item);
  }
  return groups;
}
