import { checkFlag, checkOptions, checkWhole, refuse, shortText } from "./arguments.js";

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
const PARTS: ReadonlySet<string> = new Set(["replicas", "fsync", "timeoutMs"]);

/** What a {@link Durability} asks for. */
export interface DurabilityNeed {
  readonly need: Need;
  readonly timeoutMs: number;
}

/**
 * Checks a {@link Durability}.
 *
 * @throws ContractError with code BADARG if it is invalid
 * @example
 * checkDurability({ replicas: 1 }); // { need: { local: 0, replicas: 1 }, timeoutMs: 1000 }
 */
export function checkDurability(value: unknown): DurabilityNeed {
  if (value === "memory") return { need: { local: 0, replicas: 0 }, timeoutMs: DEFAULT_WAIT_MS };
  if (value === "fsync") return { need: { local: 1, replicas: 0 }, timeoutMs: DEFAULT_WAIT_MS };
  if (typeof value !== "object" || value === null || Array.isArray(value))
    refuse(
      `durability must be "memory", "fsync" or an object such as { replicas: 1 }, not ${shortText(value)}`,
    );
  checkOptions(value, PARTS, "durability");
  const { replicas, fsync = false, timeoutMs = DEFAULT_WAIT_MS } = value as Record<string, unknown>;
  checkFlag("durability.fsync", fsync as boolean);
  const need: Need = {
    local: fsync === true ? 1 : 0,
    replicas: checkWhole("durability.replicas", replicas as number, 0, MAX_REPLICAS),
  };
  if (need.local + need.replicas === 0) refuse('durability requires no copy; write "memory", or replicas: 1');
  return { need, timeoutMs: checkWhole("durability.timeoutMs", timeoutMs as number, 1, MAX_WAIT_MS) };
}

/** Whether there are as many copies as are needed. */
export function isMet(need: Need, { local, replicas }: Acknowledged): boolean {
  return local >= need.local && replicas >= need.replicas;
}
