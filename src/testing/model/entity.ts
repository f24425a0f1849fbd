/** One change in the log of an entity. */
export interface LoggedChange {
  readonly position: string;
  readonly version: number;
  /** Idempotency key; empty for none. */
  readonly op: string;
  /** The record as JSON text, without the key. */
  readonly text: string;
}

/** One entity of the model. Times are in ms of server time. */
export interface ModelEntity {
  readonly state: string;
  readonly version: number;
  readonly createdAt: string;
  /** Time of the last change. */
  readonly changedMs: number;
  /** Time at which the state was entered. */
  readonly enteredMs: number;
  /** Time from which the lease counts, if not from entry: of the last heartbeat in the state; 0 for none. */
  readonly renewedMs: number;
  /** The time at which the first timer fires, as the holder of the lease may know it; undefined without timers. */
  readonly dueMs: number | undefined;
  /** Own fields, stamps included, each with its JSON text. */
  readonly fields: ReadonlyMap<string, string>;
  readonly log: readonly LoggedChange[];
  /** The newest position whose idempotency key is forgotten. */
  readonly forgot: string;
}

/** A change to write: the entity after it, and its cause. */
export interface ModelChange {
  readonly type: string;
  readonly from: string | null;
  readonly entity: ModelEntity;
  /** Fields that the change wrote. */
  readonly written: ReadonlyMap<string, string>;
  readonly unset: ReadonlySet<string>;
  readonly actor?: string | undefined;
  readonly reason?: string | undefined;
  readonly op?: string | undefined;
  readonly isForced: boolean;
}

/** A record holds at most 1024 bytes; the rest of its budget is for its position and its punctuation. */
const RECORD_BYTES = 949;

/** Formats a time as documents do. */
export function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}

/** Formats an entity as it is. @param further members between the times and the own fields */
export function snapshotText(machine: string, id: string, entity: ModelEntity, further: object = {}): string {
  const { state, version, changedMs, enteredMs, createdAt, fields } = entity;
  const times = { timestamp: isoOf(changedMs), since: isoOf(enteredMs), createdAt };
  return withFields({ machine, id, state, version, ...times, ...further }, fields);
}

/** Formats the document of a change. */
export function changeText(machine: string, id: string, change: ModelChange): string {
  const { type, from, entity, actor, reason, op } = change;
  const { state, version, changedMs, enteredMs, createdAt, fields } = entity;
  const times = { timestamp: isoOf(changedMs), since: isoOf(enteredMs), createdAt };
  const cause = { actor, reason, op, ...forced(change) };
  return withFields({ type, machine, id, from, state, version, ...times, ...cause }, fields);
}

/** Formats the record of a change in the entity's own log: the values of fields only if they are short. */
export function recordText(position: string, change: ModelChange): string {
  const { type, from, entity, written, unset, actor, reason } = change;
  const { state, version, changedMs } = entity;
  const core = { from, state, version, timestamp: isoOf(changedMs) };
  const cause = { actor, reason, ...forced(change) };
  const members = [core, cause].map((part) => JSON.stringify(part).slice(1, -1));
  const taken = [type, ...members.map((text) => (text === "" ? "" : `,${text}`))];
  const size = [...written].reduce((sum, [name, json]) => sum + bytes(name) + bytes(json) + 6, 0);
  const isShort = size <= RECORD_BYTES - taken.reduce((sum, text) => sum + bytes(text), 0);
  const values = [...written].map(([name, json]) => `"${name}":${json}`).join(",");
  const names = JSON.stringify([...written.keys()]);
  const set = written.size === 0 ? "" : `,"set":${isShort ? `{${values}}` : names}`;
  const gone = unset.size === 0 ? "" : `,"unset":${JSON.stringify([...unset])}`;
  return `${JSON.stringify({ position, type, ...core, ...cause }).slice(0, -1)}${set}${gone}}`;
}

function withFields(head: object, fields: ReadonlyMap<string, string>): string {
  const own = [...fields].map(([name, json]) => `,"${name}":${json}`).join("");
  return `${JSON.stringify(head).slice(0, -1)}${own}}`;
}

function forced({ isForced }: ModelChange): { forced?: true } {
  return isForced ? { forced: true } : {};
}

function bytes(text: string): number {
  return Buffer.byteLength(text);
}
