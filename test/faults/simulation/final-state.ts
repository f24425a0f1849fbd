import type { MachineRules } from "../../../faults/check/machine-rules.js";
import { tombstoneScore } from "../../../faults/check/position.js";
import { rememberedOf } from "../../../faults/check/witness/entity-log.js";
import type { FieldMap, HistoryRecord, Observation } from "../../../faults/history/records.js";
import { observationOf } from "../../../faults/history/writer.js";

/** The position at which the machine was installed, as in a partition of a cluster. */
export const FLOOR = "1795341599999-0";

/** Returns the final record of the position at which a machine was installed. */
export function floorOf(machine: string): HistoryRecord {
  return { kind: "final-floor", machine, partition: 0, floor: FLOOR };
}

/** The document of a change. */
export interface ChangeDocument extends Omit<Observation, "fields" | "opVersion">, FieldMap {
  readonly type: string;
  readonly machine: string;
  readonly id: string;
  readonly from: string | null;
  readonly op?: string;
}

/** A change in the event log, with the ID of its entry. */
export interface LoggedDocument {
  readonly entry: string;
  readonly document: ChangeDocument;
}

/** Returns what a read shows of an entity, with the time of its first timer. */
export function readOf(rules: MachineRules, shown: Observation): Observation {
  const dueAt = rules.dueAt(shown.state, Date.parse(shown.since));
  return dueAt === undefined ? shown : { ...shown, dueAt: new Date(dueAt).toISOString() };
}

/** Splits the changes of one id: those of its current life, and the removal before it. */
export function lifeIn<E extends LoggedDocument>(
  log: readonly E[],
): { life: readonly E[]; removal: E | undefined } {
  const at = log.findLastIndex(({ document }) => document.type === `${document.machine}.removed`);
  return { life: log.slice(at + 1), removal: log[at] };
}

/** Splits a life into the changes that the entity has forgotten and those that it remembers. */
export function memoryOf<E>(
  { history }: MachineRules,
  life: readonly E[],
): { trimmed: readonly E[]; kept: readonly E[] } {
  const first = life.length - rememberedOf(history, life.length);
  return { trimmed: life.slice(0, first), kept: life.slice(first) };
}

/** Returns the newest position that an entity has forgotten. */
export function forgottenBy(rules: MachineRules, log: readonly LoggedDocument[]): string {
  const { life, removal } = lifeIn(log);
  const { trimmed } = memoryOf(rules, life);
  return trimmed.findLast(({ document }) => document.op !== undefined)?.entry ?? removal?.entry ?? FLOOR;
}

/** Returns the final state of an id after its changes. */
export function* finalOf(rules: MachineRules, log: readonly LoggedDocument[]): Generator<HistoryRecord> {
  const { life, removal } = lifeIn(log);
  const last = life.at(-1)?.document;
  if (last === undefined) {
    if (removal === undefined) return;
    const [ms = 0, sequence = 0] = removal.entry.split("-").map(Number);
    const { machine, id } = removal.document;
    yield { kind: "final-index", machine, id, score: tombstoneScore({ ms, sequence }) };
    return;
  }
  const { machine, id, state } = last;
  const since = Date.parse(last.since);
  yield { kind: "final-entity", machine, id, hash: hashOf(last, forgottenBy(rules, log)) };
  yield { kind: "final-index", machine, id, score: rules.indexScore(state, since) };
  const score = rules.dueAt(state, since);
  if (score !== undefined) yield { kind: "final-due", machine, id, score };
  const records = life.map(({ entry, document }, at) => [
    JSON.stringify(recordOf(entry, document, life[at - 1]?.document)),
    document.op ?? "",
  ]);
  yield { kind: "final-log", machine, id, elements: memoryOf(rules, records).kept.flat() };
}

function hashOf(last: ChangeDocument, forgot: string): Record<string, string> {
  const { state, version, timestamp, since, createdAt, fields } = observationOf(last);
  const hash: Record<string, string> = {
    state,
    version: String(version),
    "times:ms": `${Date.parse(timestamp)} ${Date.parse(since)} 0`,
    created: createdAt,
    "ops:forgot": forgot,
  };
  for (const field in fields) hash[field] = JSON.stringify(fields[field]);
  return hash;
}

/** Returns what an entity's own log keeps of a change. */
function recordOf(
  position: string,
  document: ChangeDocument,
  previous: ChangeDocument | undefined,
): FieldMap {
  const { type, from, state, version, timestamp } = document;
  const before = previous === undefined ? {} : observationOf(previous).fields;
  const after = observationOf(document).fields;
  const set = Object.entries(after).filter(([field, value]) => before[field] !== value);
  const unset = Object.keys(before).filter((field) => !Object.hasOwn(after, field));
  return {
    ...{ position, type, from, state, version, timestamp },
    ...(set.length > 0 && { set: Object.fromEntries(set) }),
    ...(unset.length > 0 && { unset }),
  };
}
