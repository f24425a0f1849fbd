/** How a process ended, as the operating system told the replica that had started it. */
export type Exit =
  | { readonly kind: "code"; readonly code: number; readonly output: string }
  | { readonly kind: "signal"; readonly signal: string }
  | { readonly kind: "not-started"; readonly error: string };

/** What happens to an agent. Every replica hears of every fact, in the same order. */
export type Fact =
  | {
      readonly kind: "task";
      readonly id: string;
      readonly taskId: string;
      /** What the agent runs: a line for `sh -c`. */
      readonly command: string;
      /** The replica that is to start the process. */
      readonly owner: string;
    }
  | { readonly kind: "started"; readonly id: string; readonly pid: number }
  | { readonly kind: "kill-ordered"; readonly id: string; readonly reason: string }
  | { readonly kind: "ended"; readonly id: string; readonly exit: Exit };

/** What became of one call of one replica. */
export interface Call {
  readonly id: string;
  /** The state it asked for. */
  readonly to: string;
  /** `OK`, or the refusal. */
  readonly outcome: string;
  /** The entity's version and state in the answer. */
  readonly version: number;
  readonly state: string;
  /** How long it took, in ms. */
  readonly ms: number;
}

/** A lease that ran out, as the replica whose sweep recorded it tells. */
export interface RanOut {
  readonly id: string;
  /** Of the entity, with this change. */
  readonly version: number;
}

/** Where the server is and who may use it. */
export interface Credentials {
  readonly url: string;
  readonly password?: string;
}

/** From the demo to a replica. */
export type ToReplica =
  | {
      readonly type: "start";
      readonly name: string;
      readonly credentials: Credentials;
      readonly namespace: string;
    }
  /** All are connected: the agents' lease is this long, in ms, and the race can begin. */
  | { readonly type: "begin"; readonly leaseMs: number }
  | { readonly type: "fact"; readonly fact: Fact };

/** From a replica to the demo. */
export type FromReplica =
  | { readonly type: "ready" }
  | { readonly type: "fact"; readonly fact: Fact }
  | { readonly type: "call"; readonly call: Call }
  | { readonly type: "ran-out"; readonly ranOut: RanOut }
  | { readonly type: "trouble"; readonly message: string };
