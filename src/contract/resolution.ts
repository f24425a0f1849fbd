import type { Duration } from "../machine/duration.js";
import type { Change, Replay, Snapshot } from "./document.js";

/**
 * What became of a change whose answer was lost.
 * - `DONE`: it was done once, and made this `version`; `document` is the change itself, or the entity as it is now.
 * - `NOTDONE`: it was not done, and will not be: the server refuses what may still be on its way.
 * - `FORGOTTEN`: it can't be told any more, since the entity has forgotten and the log was trimmed.
 */
export type Resolution<S extends string = string> =
  | { readonly outcome: "DONE"; readonly version: number; readonly document: Change<S> | Replay<S> }
  | { readonly outcome: "NOTDONE"; readonly current: Snapshot<S> | null }
  | { readonly outcome: "FORGOTTEN"; readonly current: Snapshot<S> | null };

/** How to ask what became of a change. */
export interface ResolveOptions {
  /** How long to try. @default what the change itself had */
  readonly timeout?: Duration;
}

/** Identifies a change whose outcome is unknown, so that any process can ask for it or repeat it. */
export interface UnknownChange {
  readonly machine: string;
  readonly id: string;
  /** Idempotency key of the change. */
  readonly op: string;
  /** Server time in ms before the first attempt. */
  readonly sent: number;
  /** Server time in ms after which no attempt can be executed. */
  readonly notAfter: number;
}
