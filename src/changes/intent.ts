import type { Change, Replay } from "../contract/document.js";
import type { DurabilityNeed } from "../contract/durability.js";
import type { Reply } from "../contract/reply.js";
import type { Operation } from "../lua/index.js";
import type { Copies } from "./result.js";

/** A change to make, in all its attempts. */
export interface Intent {
  readonly operation: Exclude<Operation, "apply" | "expire" | "get" | "heartbeat">;
  readonly id: string;
  readonly op: string;
  /** Arguments of the script, without NOTAFTER and SEEN. */
  readonly words: readonly string[];
  readonly timeoutMs: number;
  /** The caller's own limit, in ms of server time. */
  readonly notAfter?: number | undefined;
  /** Position of the event log before the first attempt of another process. */
  readonly seen?: string | undefined;
  /** Position that SEEN must not be before. */
  readonly after?: string | undefined;
  readonly durability: DurabilityNeed;
  /** True if nothing is written: no attempt has an effect. */
  readonly isDryRun: boolean;
}

/** Result of all attempts: the reply of a script, or the document that a lost attempt is known to have made. */
export type Answer = ({ readonly reply: Reply } | { readonly document: Change | Replay }) & {
  readonly copies?: Copies;
};
