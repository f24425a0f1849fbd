import type { FieldMap } from "./records.js";

/** Identifies a change of an entity, even if a lost change had the same version. */
export interface ChangeName {
  readonly id: string;
  readonly createdAt: string;
  readonly version: number;
  readonly timestamp: string;
  readonly type: string;
}

/** A lease was renewed: sent at `at`, confirmed at `until`. */
export interface RenewalRecord {
  readonly kind: "renewal";
  readonly process: string;
  readonly id: string;
  /** Entry into the state whose lease it renews. */
  readonly since: string;
  readonly version: number;
  readonly at: number;
  readonly until: number;
}

/** A process believed that it held an entity. */
export interface HeldRecord {
  readonly kind: "held";
  readonly process: string;
  readonly id: string;
  readonly since: string;
  readonly at: number;
  /** Last time at which it is known to have believed this. */
  readonly until: number;
  /** `lost`: the loss was reported to it. The others: it released the entity itself. */
  readonly ended: "lost" | "closed" | "changed";
  readonly why?: string;
}

/** A sweeper was reported to have fired a timer. */
export interface FiredRecord extends ChangeName {
  readonly kind: "fired";
  readonly process: string;
  readonly at: number;
}

/** A handler of a reaction begins, is about to succeed, or is about to fail. It is in the file before the handler continues. */
export interface HandledRecord extends ChangeName {
  readonly kind: "handled";
  readonly process: string;
  readonly at: number;
  readonly attempt: number;
  readonly step: "begun" | "done" | "failed";
}

/** Bounds of the wall clock minus CLOCK_MONOTONIC during the run, in ms. */
export interface ClockRecord {
  readonly kind: "clock";
  readonly least: number;
  readonly most: number;
}

/** All faults are repaired, and sweepers had time to fire what was due by `untilMs` (server time). */
export interface SweptRecord {
  readonly kind: "swept";
  readonly at: number;
  readonly untilMs: number;
  /** IDs that the list of stuck entities keeps showing. */
  readonly stuck: readonly string[];
}

/** A dead letter at the end of the run. */
export interface DeadLetterRecord {
  readonly kind: "dead-letter";
  readonly reaction: string;
  /** Text of the event; null if it stands for events that were trimmed. */
  readonly document: string | null;
  readonly tries: number;
  readonly error: string;
}

export type TimedRecord =
  | RenewalRecord
  | HeldRecord
  | FiredRecord
  | HandledRecord
  | ClockRecord
  | SweptRecord
  | DeadLetterRecord;

/** Returns the fields that identify a change. */
export function nameOf(document: FieldMap): ChangeName {
  const { id, createdAt, version, timestamp, type } = document as FieldMap & ChangeName;
  return { id, createdAt, version, timestamp, type };
}
