import { checkFlag, checkOptions, checkWhole, refuse, shortText } from "./arguments.js";

/**
 * Acknowledgements that a change waits for after it was applied.
 * - `"memory"`: none; the server has it in memory.
 * - `"fsync"`: the server has it on disk. Needs `appendonly yes` and `appendfsync always`. A change is
 *   rejected with BADARG before it is sent if the server has no WAITAOF, such as Redis 7.0.
 * - `{ replicas }`: this number of replicas has it in memory; with `fsync` the server and these replicas have it on disk.
 *   `timeoutMs` is the longest wait for them, in ms. @default 1000
 */
export type Durability =
  | "memory"
  | "fsync"
  | { readonly replicas: number; readonly fsync?: boolean; readonly timeoutMs?: number };

/** Acknowledgements that a change requires. */
export interface Need {
  /** 1 if the server needs it on disk; the replicas then need it on disk too. */
  readonly local: 0 | 1;
  readonly replicas: number;
}

/** Acknowledgements that were received. `local` is 0 also if disks were not asked. */
export interface Acknowledged {
  readonly local: number;
  readonly replicas: number;
}

/** Default of `timeoutMs`. */
export const DEFAULT_WAIT_MS = 1_000;

const MAX_WAIT_MS = 3_600_000;
const MAX_REPLICAS = 100;
const PARTS = ["replicas", "fsync", "timeoutMs"];

/** A valid {@link Durability} with its defaults. */
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

/** Returns whether enough acknowledgements were received. */
export function isMet(need: Need, { local, replicas }: Acknowledged): boolean {
  return local >= need.local && replicas >= need.replicas;
}
