import { didYouMean } from "../machine/suggest.js";

/**
 * What a change waits for after it was made.
 * - `"memory"`: nothing; the server has it in memory.
 * - `"fsync"`: the server has it on disk. Needs `appendonly yes` and `appendfsync always`.
 * - `{ replicas }`: so many replicas have it in memory; with `fsync` the server and so many replicas have it on disk.
 *   `timeoutMs` is how long to wait for them, in ms. @default 1000
 */
export type Durability =
  | "memory"
  | "fsync"
  | { readonly replicas: number; readonly fsync?: boolean; readonly timeoutMs?: number };

/** The copies of a change that are asked for, besides the one in the server's memory. */
export interface Need {
  /** 1 where the server itself is to have it on disk; replicas are then asked for their disk too. */
  readonly local: 0 | 1;
  readonly replicas: number;
}

/** The copies that there are known to be. `local` is 0 also where disks were not asked about. */
export interface Acknowledged {
  readonly local: number;
  readonly replicas: number;
}

/** How long to wait where nothing is said, in ms. */
export const DEFAULT_WAIT_MS = 1_000;

const MAX_WAIT_MS = 3_600_000;
const MAX_REPLICAS = 100;
const PARTS = ["replicas", "fsync", "timeoutMs"] as const;

/** What a {@link Durability} asks for. */
export interface DurabilityNeed {
  readonly need: Need;
  readonly timeoutMs: number;
}

/**
 * What a value asks for, or why it is no {@link Durability}.
 *
 * @returns `{ need, timeoutMs }`, or `{ problem }`: what is wrong, to be put behind the option's name.
 * @example
 * readDurability({ replicas: 1 }); // { need: { local: 0, replicas: 1 }, timeoutMs: 1000 }
 */
export function readDurability(value: unknown): DurabilityNeed | { readonly problem: string } {
  if (value === "memory") return { need: { local: 0, replicas: 0 }, timeoutMs: DEFAULT_WAIT_MS };
  if (value === "fsync") return { need: { local: 1, replicas: 0 }, timeoutMs: DEFAULT_WAIT_MS };
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { problem: 'must be "memory", "fsync" or an object such as { replicas: 1 }' };
  for (const name of Object.keys(value)) {
    if (!PARTS.some((part) => part === name))
      return { problem: `has no part ${JSON.stringify(name)}${didYouMean(name, PARTS)}` };
  }
  const { replicas, fsync = false, timeoutMs = DEFAULT_WAIT_MS } = value as Record<string, unknown>;
  if (!isWhole(replicas, 0, MAX_REPLICAS))
    return { problem: `.replicas must be a whole number from 0 to ${MAX_REPLICAS}` };
  if (typeof fsync !== "boolean") return { problem: ".fsync must be true or false" };
  if (!isWhole(timeoutMs, 1, MAX_WAIT_MS))
    return { problem: `.timeoutMs must be whole milliseconds from 1 to ${MAX_WAIT_MS}` };
  if (replicas === 0 && !fsync) return { problem: 'asks for no copy; write "memory", or replicas: 1' };
  return { need: { local: fsync ? 1 : 0, replicas }, timeoutMs };
}

/** Whether there are as many copies as are needed. */
export function isMet(need: Need, { local, replicas }: Acknowledged): boolean {
  return local >= need.local && replicas >= need.replicas;
}

function isWhole(value: unknown, least: number, most: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= least && value <= most;
}
