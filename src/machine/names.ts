/** Describes the valid names of one kind. */
export interface NameRule {
  /** The kind, for error texts. */
  readonly kind: string;
  readonly pattern: RegExp;
  /** The pattern in words, for error texts. */
  readonly words: string;
  /** Names that match the pattern but are reserved. */
  readonly reserved?: ReadonlySet<string>;
}

/** Names that documents or the entity's hash use: no own field or stamp may have one. */
export const RESERVED_FIELDS: ReadonlySet<string> = new Set(
  "type machine id from state version timestamp since createdAt created dueAt actor reason op opVersion forced".split(
    " ",
  ),
);

/** Names of machines. */
export const MACHINE_NAME: NameRule = {
  kind: "machine name",
  pattern: /^[a-z][a-z0-9-]{0,31}$/,
  words: "a lower-case letter, then up to 31 lower-case letters, digits or -",
};

/** Names of states. */
export const STATE_NAME: NameRule = {
  kind: "state name",
  pattern: /^[a-z][a-zA-Z0-9_-]{0,31}$/,
  words: "a lower-case letter, then up to 31 letters, digits, _ or -",
};

/** Names of events. */
export const EVENT_NAME: NameRule = {
  kind: "event name",
  pattern: /^[a-z][A-Za-z0-9._-]{0,95}$/,
  words: "a lower-case letter, then up to 95 letters, digits, ., _ or -",
};

/** Names of own fields and stamps. */
export const FIELD_NAME: NameRule = {
  kind: "field name",
  pattern: /^[A-Za-z_][A-Za-z0-9_]{0,63}$/,
  words: "a letter or _, then up to 63 letters, digits or _",
  reserved: RESERVED_FIELDS,
};
