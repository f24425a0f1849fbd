import type { FieldMap } from "./records.js";

/** What names a change of an entity, also where another one was lost that had the same version. */
export interface ChangeName {
  readonly id: string;
  readonly createdAt: string;
  readonly version: number;
  readonly timestamp: string;
  readonly type: string;
}

/** A lease was renewed: asked for at `at`, confirmed at `until`. */
export interface RenewalRecord {
  readonly kind: "renewal";
  readonly process: string;
  readonly id: string;
  /** Of the stay in the state that it renews the lease of. */
  readonly since: string;
  readonly version: number;
  readonly at: number;
  readonly until: number;
}

/** A process believed to hold an entity. */
export interface HeldRecord {
  readonly kind: "held";
  readonly process: string;
  readonly id: string;
  readonly since: string;
  readonly at: number;
  /** The last time at which it is known to have believed so. */
  readonly until: number;
  /** `lost`: it was told so. The others it ended itself. */
  readonly ended: "lost" | "closed" | "changed";
  readonly why?: string;
}

/** A sweeper was told that it fired a timer. */
export interface FiredRecord extends ChangeName {
  readonly kind: "fired";
  readonly process: string;
  readonly at: number;
}

/** A reaction's handler begins, is about to end well, or is about to fail. In the file before it goes on. */
export interface HandledRecord extends ChangeName {
  readonly kind: "handled";
  readonly process: string;
  readonly at: number;
  readonly attempt: number;
  readonly step: "begun" | "done" | "failed";
}

/** How far the wall clock was ahead of CLOCK_MONOTONIC during the run, in ms. */
export interface ClockRecord {
  readonly kind: "clock";
  readonly least: number;
  readonly most: number;
}

/** When all was healed, sweepers had time to fire what was due by `untilMs` (server time). */
export interface SweptRecord {
  readonly kind: "swept";
  readonly at: number;
  readonly untilMs: number;
  /** The ids of those that the list of what is stuck goes on to show. */
  readonly stuck: readonly string[];
}

/** A dead letter at the end of the run. */
export interface DeadLetterRecord {
  readonly kind: "dead-letter";
  readonly reaction: string;
  /** The text of the event; null where it stands for events that were trimmed. */
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

/** The facts that name a change. */
export function nameOf(document: FieldMap): ChangeName {
  const { id, createdAt, version, timestamp, type } = document as FieldMap & ChangeName;
  return { id, createdAt, version, timestamp, type };
}
