import type { ConnectOptions } from "latchkey";

/** End of a process, as the operating system reported it to the replica that had started it. */
export type Exit =
  | { readonly kind: "code"; readonly code: number; readonly output: string }
  | { readonly kind: "signal"; readonly signal: string }
  | { readonly kind: "not-started"; readonly error: string };

/** An event in the life of an agent. Every replica receives every fact, in the same order. */
export type Fact =
  | {
      readonly kind: "task";
      readonly id: string;
      readonly taskId: string;
      /** The agent's program: a line for `sh -c`. */
      readonly command: string;
      /** The replica that starts the process. */
      readonly owner: string;
    }
  | { readonly kind: "started"; readonly id: string; readonly pid: number }
  | {
      readonly kind: "kill-ordered";
      readonly id: string;
      readonly reason: string;
      /** The replica that received the operator's request. */
      readonly receiver: string;
    }
  | { readonly kind: "ended"; readonly id: string; readonly exit: Exit };

/** The result of one call of one replica. */
export interface Call {
  readonly id: string;
  /** The requested state. */
  readonly to: string;
  /** `OK`, or the rejection. */
  readonly outcome: string;
  /** The entity's version and state in the reply. */
  readonly version: number;
  readonly state: string;
}

/** An expired lease, as the replica whose sweeper recorded it reports it. */
export interface Expiry {
  readonly id: string;
  /** Version of the entity with this change. */
  readonly version: number;
}

/** URL of the server, or of a cluster, and the password for it. */
export interface Credentials {
  readonly url: string;
  readonly password?: string;
}

/** Options of `connect` beside the server. */
export type CallOptions = Pick<ConnectOptions, "timeout" | "durability">;

/** Implementation that records the state: by the service that latchkey replaces, or by latchkey. */
export type Way = "replaced" | "latchkey";

/** From the demo to a replica. */
export type ToReplica =
  | {
      readonly type: "start";
      readonly name: string;
      readonly way: Way;
      readonly credentials: Credentials;
      readonly calls: CallOptions;
      /** Namespace of latchkey, or prefix of the replaced service's keys. */
      readonly namespace: string;
    }
  /** All replicas are connected. The lease of an agent has this length in ms, and the race begins. */
  | { readonly type: "begin"; readonly leaseMs: number }
  | { readonly type: "fact"; readonly fact: Fact };

/** From a replica to the demo. */
export type FromReplica =
  | { readonly type: "ready" }
  | { readonly type: "fact"; readonly fact: Fact }
  | { readonly type: "call"; readonly call: Call }
  | { readonly type: "expiry"; readonly expiry: Expiry }
  | { readonly type: "failure"; readonly message: string };
