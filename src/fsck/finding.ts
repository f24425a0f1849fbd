/** Lists the kinds of damage, each with its meaning. */
export const KINDS = {
  "meta-missing": "the namespace's metadata lacks the layout or the number of partitions",
  "meta-wrong": "the namespace's metadata contradicts the keys that exist",
  "machine-unlisted": "a partition's list of machines lacks the machine or its version",
  "key-type": "a key has the wrong type",
  "machine-missing": "the machine is not installed in this partition",
  "machine-differs": "the machine is not the same in all partitions",
  "machine-broken": "the compiled machine is inconsistent",
  "index-orphan": "an index entry without an entity",
  "index-missing": "an entity without an index entry",
  "index-score": "an index entry with the wrong state or time of entry",
  "due-orphan": "a timer without an entity",
  "due-extra": "a timer of an entity whose state has no timer",
  "due-missing": "an entity without the timer of its state",
  "due-time": "a timer with the wrong time",
  "log-orphan": "a log without an entity",
  "log-missing": "an entity without a log",
  "log-differs": "the last change of the log differs from the entity",
  "log-gap": "versions are missing or out of order in the log",
  "log-broken": "an entry of the log is not a change of this entity",
  "log-long": "the log has more changes than it keeps",
  "log-short": "the log has fewer changes than it keeps",
  "hash-field": "a field of the entity is missing or malformed",
  "dated-ahead": "the entity's times are more than 60 s ahead of the server's clock",
  "state-unknown": "the entity is in a state that the machine does not have",
  "id-broken": "an invalid id, which no client can name",
  misplaced: "the entity is stored in a partition that its id does not belong to",
  "entity-lost": "the event log ends with a change of an entity that does not exist",
  "event-lost": "the event log lacks a change that the entity shows",
  "event-extra": "the event log has a change that the entity does not show",
  "event-differs": "the last change in the event log differs from the entity",
  "event-gap": "versions of an entity are missing or out of order in the event log",
  "event-broken": "an entry of the event log is not a change of this machine",
  unchecked: "the server, the user's permissions or a moving slot do not allow this check",
} as const satisfies Readonly<Record<string, string>>;

/** One of {@link KINDS}. */
export type FindingKind = keyof typeof KINDS;

/** Describes the right index entry, timer and log of an entity: `null` removes one, an absent one stays. */
export interface Repair {
  /** Score in the index. */
  readonly index?: number | null;
  /** Time at which its timer fires, in ms. */
  readonly due?: number | null;
  /** Elements of a missing log that is created. */
  readonly log?: null | readonly string[];
  /** Sets times that are ahead of the server's clock to its time. */
  readonly date?: true;
}

/** One contradiction in the data, before it is repaired or reported. */
export interface Defect {
  readonly kind: FindingKind;
  /** The entity; "" for the machine or the namespace. */
  readonly id: string;
  /** The key that is wrong. */
  readonly key: string;
  readonly message: string;
  /** True if an older version of the machine may explain it: then it is damage only if `strict`. */
  readonly isExplicable?: boolean;
  /** The right values, if they follow from the entity or from the event log. */
  readonly repair?: Repair;
  /** The reason why there is no `repair`, and what can be done instead. */
  readonly why?: string;
}

/** One contradiction in the data and its result. */
export interface Finding {
  readonly kind: FindingKind;
  /** The entity; "" for the machine or the namespace. */
  readonly id: string;
  readonly partition: number;
  readonly key: string;
  readonly message: string;
  /**
   * `repaired`; `repairable`: `repair` fixes it; `manual`: it cannot be repaired automatically; `notice`: not
   * necessarily damage; `unchecked`: not known.
   */
  readonly result: "repaired" | "repairable" | "manual" | "notice" | "unchecked";
  /** The reason why it was not repaired, or what can be done. */
  readonly why?: string;
}

/** Turns a defect that fsck cannot repair into a finding. */
export function manual(partition: number, { kind, id, key, message, why }: Defect): Finding {
  return { kind, id, partition, key, message, result: "manual", ...(why !== undefined && { why }) };
}
