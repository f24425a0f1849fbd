import type { Progress, Role } from "../fleet/fleet.js";

/** What a client process is told when it starts, as JSON in its first argument. */
export interface ClientSettings {
  readonly name: string;
  readonly role: Role;
  /** Counts its restarts, from 0. */
  readonly life: number;
  readonly seed: number;
  readonly url: string;
  readonly namespace: string;
  /** Where this life writes its history. */
  readonly file: string;
  /** Where the one before did. */
  readonly before?: string;
  /** Calls under way at once. */
  readonly concurrency: number;
  /** How long a call may take, in ms. */
  readonly timeoutMs: number;
  readonly generation: number;
  readonly allowanceMs: number;
  /** Calls a second that it may begin. */
  readonly rate: number;
}

/** What the runner tells a client process while it runs. */
export type Instruction =
  | { readonly kind: "rate"; readonly rate: number }
  /** Work on other entities from now on. */
  | { readonly kind: "generation"; readonly generation: number }
  /** Tell the server of an earlier first attempt than the clock says, by so many ms: the clock may have been set back. */
  | { readonly kind: "allowance"; readonly ms: number }
  | { readonly kind: "probe"; readonly number: number }
  /** Begin no more calls, end those under way, write everything down, and end. Followers read up to this entry first. */
  | { readonly kind: "finish"; readonly upTo?: string };

/** What a client process tells. */
export type Report =
  | { readonly kind: "ready" }
  | { readonly kind: "progress"; readonly progress: Progress }
  | { readonly kind: "probed"; readonly number: number; readonly progress: Progress }
  | { readonly kind: "problem"; readonly text: string };
