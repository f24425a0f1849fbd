import type {
  DurabilityLevel,
  FieldMap,
  FinalEntityRecord,
  Operation,
  Outcome,
  ResolvedRecord,
} from "../history/records.js";
import type { Fingerprint } from "./fingerprint.js";
import type { Injection, Loss } from "./loss.js";
import type { MachineRules } from "./machine-rules.js";
import type { Position } from "./position.js";

/** Holds what a caller received of an entity. Times are ms of the server's clock. */
export interface ParsedObservation {
  readonly state: string;
  readonly version: number;
  readonly timestamp: number;
  readonly since: number;
  readonly created: number;
  readonly fields: FieldMap;
  /** Time of the first timer, if a read showed one. */
  readonly dueAt: number | undefined;
  readonly opVersion: number | undefined;
}

/** Holds a call and its results. `at` and `until` are monotonic ms; `until` is Infinity if it never returned. */
export interface Call {
  /** Line of the call's record in the history, from 1. */
  readonly line: number;
  readonly process: string;
  readonly number: number;
  /** True if nobody waits for its reply: a copy of the request of a call with the same key. */
  readonly isCopy: boolean;
  readonly entity: Entity;
  readonly operation: Operation;
  readonly at: number;
  readonly to: string | undefined;
  readonly set: FieldMap | undefined;
  readonly unset: readonly string[] | undefined;
  readonly ifVersion: number | undefined;
  readonly ifState: string | undefined;
  readonly force: boolean;
  readonly op: string | undefined;
  /** Position of the event log that its caller knew before the first attempt. */
  readonly seen: Position | undefined;
  /** Server time in ms after which it must not be applied. */
  readonly notAfter: number | undefined;
  readonly durability: DurabilityLevel;
  returnLine: number;
  until: number;
  /** UNKNOWN if it never returned. */
  outcome: Outcome;
  observation: ParsedObservation | undefined;
  /** Position of its change, if its reply contained one. */
  position: Position | undefined;
  resolved: (Pick<ResolvedRecord, "outcome" | "version" | "at"> & { readonly line: number }) | undefined;
}

export type ChangeKind = "create" | "transition" | "patch" | "remove";

/** An entry of the event log. */
export interface LogEntry {
  readonly line: number;
  readonly position: Position;
  readonly entity: Entity;
  readonly type: string;
  readonly from: string | null;
  readonly state: string;
  readonly version: number;
  readonly timestamp: number;
  readonly since: number;
  readonly created: number;
  readonly op: string | undefined;
  readonly forced: boolean;
  readonly actor: string | undefined;
  readonly reason: string | undefined;
  readonly fields: FieldMap;
  /** Fingerprint of its content as JavaScript writes it. */
  readonly content: Fingerprint;
}

/** A value with the line of its record. */
export interface LineValue<T> {
  readonly line: number;
  readonly value: T;
}

/** Holds everything that a history contains about one entity. */
export interface Entity {
  readonly machine: MachineRules;
  readonly id: string;
  /** Names the position that new entities of its partition have forgotten. */
  floor: string;
  /** In the order of the file. For each process this is the order of `at`. */
  readonly calls: Call[];
  /** In the order of the log. */
  readonly events: LogEntry[];
  hash: LineValue<FinalEntityRecord["hash"]> | undefined;
  index: LineValue<number> | undefined;
  due: LineValue<number> | undefined;
  /** Elements of its own log: two for each change. */
  list: LineValue<readonly string[]> | undefined;
}

/** One step of a follower. */
export type FollowerStep =
  | {
      readonly kind: "follow";
      readonly line: number;
      readonly at: number;
      readonly machine: string;
      readonly after: string;
    }
  | {
      readonly kind: "event";
      readonly line: number;
      readonly at: number;
      readonly cursor: string;
      readonly content: Fingerprint;
    }
  | { readonly kind: "gap" | "followed"; readonly line: number; readonly at: number };

/** Holds a whole history, grouped by subject. */
export interface Facts {
  readonly entities: readonly Entity[];
  /** The streams of each machine, by partition. */
  readonly streams: ReadonlyMap<string, readonly (readonly LogEntry[])[]>;
  readonly followers: ReadonlyMap<string, readonly FollowerStep[]>;
  readonly loss: Loss;
  /** Injections that set a server's clock. */
  readonly clocks: readonly Injection[];
  readonly calls: number;
}
