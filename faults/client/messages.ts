import type { Progress, Role } from "../fleet/fleet.js";

/** Configures a client process: JSON in its first argument. */
export interface ClientSettings {
  readonly name: string;
  readonly role: Role;
  /** Number of restarts before this life. */
  readonly life: number;
  readonly seed: number;
  readonly url: string;
  readonly namespace: string;
  /** History file of this life. */
  readonly file: string;
  /** History file of the previous life. */
  readonly before?: string;
  /** Number of concurrent calls. */
  readonly concurrency: number;
  /** Timeout of a call, in ms. */
  readonly timeoutMs: number;
  readonly generation: number;
  /** Calls that it may start per second. */
  readonly rate: number;
}

/** Instructs a running client process. */
export type Instruction =
  | { readonly kind: "rate"; readonly rate: number }
  /** Work on other entities from now on. */
  | { readonly kind: "generation"; readonly generation: number }
  | { readonly kind: "probe"; readonly number: number }
  /** Start no more calls, finish pending calls, write the history, and exit. Followers first read up to this entry. */
  | { readonly kind: "finish"; readonly upTo?: string };

/** Reports from a client process to the runner. */
export type Report =
  | { readonly kind: "ready" }
  | { readonly kind: "progress"; readonly progress: Progress }
  | { readonly kind: "probed"; readonly number: number; readonly progress: Progress }
  | { readonly kind: "problem"; readonly text: string };
