import type { Duration } from "../machine/duration.js";
import type { Change, Replay, Snapshot } from "./document.js";

/**
 * Outcome of a change whose reply was lost.
 * - `DONE`: applied once, as `version`; `document` is the change itself, or the current entity.
 * - `NOTDONE`: not applied, and never will be: the server rejects attempts that are still on their way.
 * - `FORGOTTEN`: unknown: newer changes displaced the idempotency record, and the event log was trimmed.
 */
export type Resolution<S extends string = string> =
  | { readonly outcome: "DONE"; readonly version: number; readonly document: Change<S> | Replay<S> }
  | { readonly outcome: "NOTDONE"; readonly current: Snapshot<S> | null }
  | { readonly outcome: "FORGOTTEN"; readonly current: Snapshot<S> | null };

/** Options of `resolve`. */
export interface ResolveOptions {
  /** Longest time for it. @default the timeout of the change */
  readonly timeout?: Duration;
}

/** Identifies a change whose outcome is unknown, so that any process can ask for it or repeat it. */
export interface UnknownChange {
  readonly machine: string;
  readonly id: string;
  /** Idempotency key of the change. */
  readonly op: string;
  /** Position of the event log before the first attempt. */
  readonly seen: string;
  /** Server time in ms after which no attempt can be executed. */
  readonly notAfter: number;
}
