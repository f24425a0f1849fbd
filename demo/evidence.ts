import type { Change, CompiledMachine, Snapshot } from "latchkey";
import type { Call, Exit, Expiry } from "./messages.js";

/** End of an agent's process, as its owner saw it. */
export interface Ending {
  readonly pid: number | undefined;
  readonly exit: Exit;
  /** True if the operator had ordered to kill it. */
  readonly killOrdered: boolean;
}

/** Everything that was observed from outside, and the reports of the replicas. */
export interface Evidence {
  readonly machine: Pick<CompiledMachine, "initial" | "states">;
  /** Replicas that raced. */
  readonly replicas: readonly string[];
  /** Replica that was killed. */
  readonly killed: string;
  /** Agents that it left running: it had started them, and nobody saw their end. */
  readonly orphans: ReadonlySet<string>;
  /** Length of a lease, in ms. */
  readonly leaseMs: number;
  /** Event log, oldest first: the documents' texts. */
  readonly log: readonly string[];
  /** Published texts, in order. */
  readonly published: readonly string[];
  /** Agents whose server was killed. What it published last may be lost, because publish/subscribe is at most once. */
  readonly exposed: ReadonlySet<string>;
  /** Each agent at the end. */
  readonly finals: ReadonlyMap<string, Snapshot | null>;
  /** Agents by state, as the index counts them. */
  readonly counts: Readonly<Record<string, number>>;
  /** Each call of each replica, with its result. */
  readonly calls: readonly (Call & { readonly replica: string })[];
  /** Each lease whose expiry a sweeper recorded, and the replica of the sweeper. */
  readonly expiries: readonly (Expiry & { readonly replica: string })[];
  /** End of each process, without those of orphans. */
  readonly endings: ReadonlyMap<string, Ending>;
}

/** Result of one check. */
export interface Check {
  /** Stable name for programs. */
  readonly name: string;
  /** The statement that was checked, with figures, in a line. */
  readonly text: string;
  /** Contradictions; empty if the statement is true. */
  readonly faults: readonly string[];
}

/** The event log, parsed and grouped. */
export interface Histories {
  readonly changes: readonly Change[];
  /** Changes of each agent, in the order of the log. */
  readonly byId: ReadonlyMap<string, readonly Change[]>;
}

/** Returns true if a sweeper made the change. Every change of a replica has an op. */
export function isBySweeper({ actor, op }: Change): boolean {
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
