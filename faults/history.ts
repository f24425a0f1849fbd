import type { TimedRecord } from "./history/timed.js";

// The history of a run, one JSON object per line: docs/evidence/history-format.md describes it for readers in any language.
export { HistoryError, parseRecord } from "./history/parse.js";
export { readHistory } from "./history/reader.js";
export { HistoryWriter, monotonicMs, observed } from "./history/writer.js";

/** A machine in its compiled form, as far as a checker needs it. `CompiledMachine` of the package is one. */
export interface RunMachine {
  readonly name: string;
  readonly initial: string;
  /** In the order of their ordinals. */
  readonly states: Readonly<Record<string, RunState>>;
  /** Changes that an entity's log keeps. */
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

/** What was asked to outlive: `replicas` stands for any number of them. */
export type AskedDurability = "memory" | "fsync" | "replicas";

/** By what the server promises, this fault may lose acknowledged changes. */
export interface AllowedLoss {
  /** The fault's name. */
  readonly fault: string;
  /** How long before it begins a change may have been made and still be lost; null for any time. */
  readonly windowMs: number | null;
  /** Changes acknowledged with these are safe even so. */
  readonly spares?: readonly AskedDurability[];
}

/** The first line. */
export interface RunRecord {
  readonly kind: "run";
  readonly format: 1;
  readonly seed: number;
  readonly topology: string;
  readonly command: string;
  /** Wall clock, ISO 8601. */
  readonly startedAt: string;
  readonly machines: readonly RunMachine[];
  /** Empty: no acknowledged change may be lost. */
  readonly loss: readonly AllowedLoss[];
  /** Faults that set a server's clock. */
  readonly clocks?: readonly string[];
  /** The reactions to all events of the machine. */
  readonly reactions?: readonly { readonly name: string; readonly deadLetterAfter: number }[];
}

export type Operation = "create" | "transition" | "patch" | "remove" | "get";

/** Own fields, as JSON values. */
export type FieldMap = Readonly<Record<string, unknown>>;

/** A process is about to call. Times (`at`) are CLOCK_MONOTONIC in ms, comparable between the processes of one machine. */
export interface CallRecord {
  readonly kind: "call";
  readonly process: string;
  /** Counts the calls of the process, over its restarts. */
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
  /** Every change has one. A repeat has the same as the call that it repeats. */
  readonly op?: string;
  /** On a repeat: server time of the first attempt, ms. */
  readonly sent?: number;
  /** Server time after which it must not be made, ms. */
  readonly notAfter?: number;
  readonly durability?: AskedDurability;
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

/** What a caller was shown of an entity: a change, or a snapshot. */
export interface Observed {
  readonly state: string;
  readonly version: number;
  readonly timestamp: string;
  readonly since: string;
  readonly createdAt: string;
  /** Own fields, stamps included. */
  readonly fields: FieldMap;
  /** REPLAYED: the version that the op made. */
  readonly opVersion?: number;
}

/** The call ended. A call without this was cut short with its process: unknown. */
export interface ReturnRecord {
  readonly kind: "return";
  readonly process: string;
  readonly number: number;
  readonly at: number;
  readonly outcome: Outcome;
  /** The change, the snapshot, or what `get` read; absent where there was none. */
  readonly document?: Observed;
  /** How often it was sent, where the caller can tell. */
  readonly attempts?: number;
  readonly error?: string;
}

/** What became of a call whose outcome was unknown. */
export interface ResolvedRecord {
  readonly kind: "resolved";
  readonly process: string;
  readonly number: number;
  readonly at: number;
  readonly outcome: "DONE" | "NOTDONE" | "FORGOTTEN";
  /** DONE: the version that it made. */
  readonly version?: number;
}

export interface FaultBeginRecord {
  readonly kind: "fault-begin";
  /** Counts the injections of the run. */
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

/** A follower begins to iterate over the events of a machine. */
export interface FollowRecord {
  readonly kind: "follow";
  readonly follower: string;
  readonly at: number;
  readonly machine: string;
  /** `start`, `end`, or the cursor behind which it goes on. */
  readonly after: string;
}

/** The follower read a change. */
export interface EventRecord {
  readonly kind: "event";
  readonly follower: string;
  readonly at: number;
  readonly cursor: string;
  readonly document: FieldMap;
}

/** The follower was told of a gap (GapError); it goes on with a `follow` of its own. */
export interface GapRecord {
  readonly kind: "gap";
  readonly follower: string;
  readonly at: number;
  readonly cursor: string;
}

/** The follower, told to read up to the end of the log, has done so. */
export interface FollowedRecord {
  readonly kind: "followed";
  readonly follower: string;
  readonly at: number;
}

export interface FinalEntityRecord {
  readonly kind: "final-entity";
  readonly machine: string;
  readonly id: string;
  /** HGETALL: each field's text. */
  readonly hash: Readonly<Record<string, string>>;
}

export interface FinalScoreRecord {
  readonly kind: "final-index" | "final-due";
  readonly machine: string;
  readonly id: string;
  readonly score: number;
}

export interface FinalLogRecord {
  readonly kind: "final-log";
  readonly machine: string;
  readonly id: string;
  /** The list, oldest first: texts. */
  readonly documents: readonly string[];
}

/** One entry of a machine's event stream. All of a partition's stand in their order, from the first ever made. */
export interface FinalEventRecord {
  readonly kind: "final-event";
  readonly machine: string;
  readonly partition: number;
  readonly entry: string;
  /** Its text. */
  readonly document: string;
}

/** The last line: the history is whole. */
export interface EndRecord {
  readonly kind: "end";
  readonly at: number;
}

export type HistoryRecord =
  | RunRecord
  | CallRecord
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
  | FinalLogRecord
  | FinalEventRecord
  | TimedRecord
  | EndRecord;
