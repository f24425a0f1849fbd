/** What can be wrong: each kind, and what it means. */
export const KINDS = {
  "meta-missing": "the namespace's facts lack the layout or the number of partitions",
  "meta-wrong": "the namespace's facts contradict the keys that are there",
  "meta-note": "the namespace's facts do not name the machine",
  "key-type": "a key holds another type than it should",
  "machine-missing": "the machine is not installed in this partition",
  "machine-differs": "the machine is not the same in all partitions",
  "machine-broken": "the compiled machine does not hang together",
  "index-orphan": "an index entry without an entity",
  "index-missing": "an entity without an index entry",
  "index-score": "an index entry with the wrong state or age",
  "due-orphan": "a timer without an entity",
  "due-extra": "a timer of an entity whose state has none",
  "due-missing": "an entity without the timer that its state has",
  "due-time": "a timer that runs out at the wrong time",
  "log-orphan": "a log without an entity",
  "log-missing": "an entity without a log",
  "log-differs": "the log's last change is not what the entity is",
  "log-gap": "versions are missing or out of order in the log",
  "log-broken": "an entry of the log is no change of this entity",
  "log-long": "the log is longer than the machine's history",
  "log-short": "the log is shorter than the machine's history",
  "hash-field": "a field of the entity is missing or malformed",
  "state-unknown": "the entity is in a state that the machine does not have",
  "id-broken": "an id that is none, so that no client can name it",
  misplaced: "the entity lives in a partition that its id does not lead to",
  "entity-lost": "the event log ends with a change of an entity that is not there",
  "event-lost": "the event log lacks a change that the entity shows",
  "event-extra": "the event log has a change that the entity does not show",
  "event-differs": "the event log's last change is not what the entity is",
  "event-gap": "versions of an entity are missing or out of order in the event log",
  "event-broken": "an entry of the event log is no change of this machine",
  unchecked: "the server or the user's rights do not allow to check this here",
} as const satisfies Readonly<Record<string, string>>;

/** One of {@link KINDS}. */
export type Kind = keyof typeof KINDS;

/** What to make of an entity's places; `null` takes one away, absent leaves it. */
export interface Mend {
  /** Score in the index. */
  readonly index?: number | null;
  /** When its timer runs out, in ms. */
  readonly due?: number | null;
  /** How many of the newest changes the log keeps; or, where there is no log, the changes to begin it with. */
  readonly log?: number | null | readonly string[];
}

/** Something that is not as it should be. */
export interface Defect {
  readonly kind: Kind;
  /** The entity; "" where it is about the machine or the namespace. */
  readonly id: string;
  /** The key that is wrong. */
  readonly key: string;
  readonly message: string;
  /** An older version of the machine may explain it: no damage unless `strict`. */
  readonly isExplicable?: boolean;
  /** How to mend it, where that follows from the entity, or stands in the event log. */
  readonly mend?: Mend;
  /** Why it is not mended, and what can be done instead; where there is no `mend`. */
  readonly why?: string;
}

/** A defect, and what became of it. */
export interface Finding {
  readonly kind: Kind;
  readonly id: string;
  readonly partition: number;
  readonly key: string;
  readonly message: string;
  /** `notice`: no damage for certain. `mendable`: `repair` mends it. `left`: it can't be mended. `unchecked`: not known. */
  readonly result: "mended" | "mendable" | "left" | "notice" | "unchecked";
  /** Why it is not mended, or what can be done. */
  readonly why?: string;
}
