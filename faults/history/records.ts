import type { TimedRecord } from "./timed-records.js";

// A history has one JSON object per line. HISTORY.md describes the format for readers in any language.

/** The part of a compiled machine that a checker needs. `CompiledMachine` of the package has this shape. */
export interface RunMachine {
  readonly name: string;
  readonly initial: string;
  /** In the order of their ordinals. */
  readonly states: Readonly<Record<string, RunState>>;
  /** Number of changes that an entity's log keeps. */
  readonly history: number;
}

export interface RunState {
  readonly to?: readonly string[];
  readonly event?: string;
  readonly stamp?: string;
  readonly require?: readonly string[];
  readonly timeout?: { readonly after: number; readonly to?: string; readonly set?: FieldMap };
  readonly lease?: { readonly for: number; readonly to?: string; readonly set?: FieldMap };
  readonly retain?: number;
}

/** Names the durability that a call requested. `replicas` stands for any number of them. */
export type DurabilityLevel = "memory" | "fsync" | "replicas";

/** Describes a fault that may lose acknowledged changes, as the server's settings permit. */
export interface AllowedLoss {
  /** The fault's name. */
  readonly fault: string;
  /** Longest time from a lost change to the fault, in ms; null for any time. */
  readonly windowMs: number | null;
  /** Durabilities whose acknowledged changes must survive. */
  readonly spares?: readonly DurabilityLevel[];
}

/** The first line. */
export interface RunRecord {
  readonly kind: "run";
  readonly format: 2;
  readonly seed: number;
  readonly topology: string;
  readonly command: string;
  /** Wall clock, ISO 8601. */
  readonly startedAt: string;
  readonly machines: readonly RunMachine[];
  /** Empty: no acknowledged change may be lost. */
  readonly loss: readonly AllowedLoss[];
  /** Names of the faults that set a server's clock. */
  readonly clocks?: readonly string[];
  /** The reactions, each to all events of the machine. */
  readonly reactions?: readonly { readonly name: string; readonly deadLetterAfter: number }[];
}

export type Operation = "create" | "transition" | "patch" | "remove" | "get";

/** Own fields, as JSON values. */
export type FieldMap = Readonly<Record<string, unknown>>;

/** A process is about to call. Times (`at`) are CLOCK_MONOTONIC in ms, comparable between the processes of one machine. */
export interface CallRecord {
  readonly kind: "call";
  readonly process: string;
  /** Number of the call in its process. It continues after a restart. */
  readonly number: number;
  readonly at: number;
  readonly operation: Operation;
  readonly machine: string;
  readonly id: string;
  readonly to?: string;
  readonly set?: FieldMap;
  readonly unset?: readonly string[];
  readonly ifVersion?: number;
  readonly ifState?: string;
  readonly force?: boolean;
  /** Idempotency key of every change. A retry has the key of the call that it retries. */
  readonly op?: string;
  /** Position of the event log that its process knew before the first attempt. All calls with this `op` have the same. */
  readonly seen?: string;
  /** Server time in ms after which the change must not be applied. */
  readonly notAfter?: number;
  readonly durability?: DurabilityLevel;
}

/**
 * A copy of a request is about to be delivered, by a proxy or by a caller that resends by itself. It may have a return:
 * the reply that no caller gets. The call with this `op` stands before it in the file.
 */
export interface CopyRecord {
  readonly kind: "copy";
  readonly process: string;
  readonly number: number;
  readonly at: number;
  readonly machine: string;
  readonly id: string;
  readonly op: string;
  /** Server time in ms after which this copy must not be applied. */
  readonly notAfter?: number;
}

export type Outcome =
  | "OK"
  | "REPLAYED"
  | "NOTDURABLE"
  | "EXISTS"
  | "ILLEGAL"
  | "CONFLICT"
  | "MISSING"
  | "FORGOTTEN"
  | "NOTFOUND"
  | "EXPIRED"
  | "NOTEXECUTED"
  | "UNKNOWN"
  | "ERROR";

/** Holds what a caller received of an entity: a change or a snapshot. */
export interface Observation {
  readonly state: string;
  readonly version: number;
  readonly timestamp: string;
  readonly since: string;
  readonly createdAt: string;
  /** Own fields, including stamps. */
  readonly fields: FieldMap;
  /** Time of the first timer, if a `get` showed one. */
  readonly dueAt?: string;
  /** Version that the idempotency key made, if the outcome is REPLAYED. */
  readonly opVersion?: number;
}

/** A call ended. A call without this record was interrupted with its process, so its outcome is unknown. */
export interface ReturnRecord {
  readonly kind: "return";
  readonly process: string;
  readonly number: number;
  readonly at: number;
  readonly outcome: Outcome;
  /** The change, the snapshot, or the entity that `get` read; absent if there was none. */
  readonly document?: Observation;
  /** Position of the change in the event log, if the reply contained it. */
  readonly position?: string;
  readonly error?: string;
}

/** A call whose outcome was unknown has been resolved. */
export interface ResolvedRecord {
  readonly kind: "resolved";
  readonly process: string;
  readonly number: number;
  readonly at: number;
  readonly outcome: "DONE" | "NOTDONE" | "FORGOTTEN";
  /** Version of the change, if the outcome is DONE. */
  readonly version?: number;
}

export interface FaultBeginRecord {
  readonly kind: "fault-begin";
  /** Number of the injection in the run. */
  readonly number: number;
  readonly name: string;
  readonly at: number;
  readonly details?: unknown;
}

export interface FaultEndRecord {
  readonly kind: "fault-end";
  readonly number: number;
  readonly at: number;
  readonly details?: unknown;
}

/** A follower starts to iterate over the events of a machine. */
export interface FollowRecord {
  readonly kind: "follow";
  readonly follower: string;
  readonly at: number;
  readonly machine: string;
  /** `start`, `end`, or a cursor. */
  readonly after: string;
}

/** A follower read a change. */
export interface EventRecord {
  readonly kind: "event";
  readonly follower: string;
  readonly at: number;
  readonly cursor: string;
  readonly document: FieldMap;
}

/** A follower got a GapError. It continues with another `follow`. */
export interface GapRecord {
  readonly kind: "gap";
  readonly follower: string;
  readonly at: number;
  readonly cursor: string;
}

/** A follower has read the whole log, after the last change of the run. */
export interface FollowedRecord {
  readonly kind: "followed";
  readonly follower: string;
  readonly at: number;
}

export interface FinalEntityRecord {
  readonly kind: "final-entity";
  readonly machine: string;
  readonly id: string;
  /** Reply of HGETALL: the text of each field. */
  readonly hash: Readonly<Record<string, string>>;
}

export interface FinalScoreRecord {
  readonly kind: "final-index" | "final-due";
  readonly machine: string;
  readonly id: string;
  /** Negative in the index: a removed id. */
  readonly score: number;
}

export interface FinalLogRecord {
  readonly kind: "final-log";
  readonly machine: string;
  readonly id: string;
  /** Elements of the list, oldest change first: a record and an idempotency key for each. */
  readonly elements: readonly string[];
}

/** The floor of a machine in a partition, if it has one: the position with which ids without an earlier entity begin. */
export interface FinalFloorRecord {
  readonly kind: "final-floor";
  readonly machine: string;
  readonly partition: number;
  readonly floor: string;
}

/** An entry of a machine's event stream. The entries of a partition are in order, beginning with the first ever made. */
export interface FinalEventRecord {
  readonly kind: "final-event";
  readonly machine: string;
  readonly partition: number;
  readonly entry: string;
  /** Text of the entry. */
  readonly document: string;
}

/** The last line: the history is complete. */
export interface EndRecord {
  readonly kind: "end";
  readonly at: number;
}

export type HistoryRecord =
  | RunRecord
  | CallRecord
  | CopyRecord
  | ReturnRecord
  | ResolvedRecord
  | FaultBeginRecord
  | FaultEndRecord
  | FollowRecord
  | EventRecord
  | GapRecord
  | FollowedRecord
  | FinalEntityRecord
  | FinalScoreRecord
  | FinalFloorRecord
  | FinalLogRecord
  | FinalEventRecord
  | TimedRecord
  | EndRecord;
