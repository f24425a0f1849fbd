import type { FieldMap } from "../../history/records.js";
import type { Entity, LogEntry } from "../facts.js";
import { differingField } from "../field-map.js";
import { positionText, removalPosition } from "../position.js";
import type { Findings } from "../report.js";
import { changeWords, timeWords } from "../words.js";
import { kindOf } from "./log.js";

/** Number of changes that an entity remembers at least, and how many are trimmed at once. */
const [REMEMBERED, TRIMMED] = [32, 8];
/** Records are at most this long if they contain values. */
const LONGEST_RECORD = 1024;

/** Returns the changes since the last creation of the entity. */
export function lifeOf({ events }: Entity): readonly LogEntry[] {
  const removal = events.findLastIndex((event) => kindOf(event) === "remove");
  return events.slice(removal + 1);
}

/** Returns how many changes an entity remembers after a number of changes. */
export function rememberedOf(history: number, changes: number): number {
  const least = Math.max(history, REMEMBERED);
  return changes <= least ? changes : least + ((changes - least) % TRIMMED);
}

function keptOf({ machine }: Entity, life: readonly LogEntry[]): readonly LogEntry[] {
  return life.slice(life.length - rememberedOf(machine.history, life.length));
}

/** Returns the newest position that an existing entity has forgotten: of a trimmed change, or the end of its last life. */
export function forgottenOf(entity: Entity): string {
  const life = lifeOf(entity);
  const trimmed = life.slice(0, life.length - keptOf(entity, life).length);
  const forgotten = trimmed.findLast(({ op }) => op !== undefined);
  if (forgotten !== undefined) return positionText(forgotten.position);
  const removal = entity.events.at(-life.length - 1);
  return removal === undefined ? entity.floor : positionText(removalPosition(removal.position));
}

/** Checks the entity's own log: the record and the idempotency key of each of its last changes. */
export function checkEntityLog(entity: Entity, findings: Findings): void {
  const { events, list } = entity;
  const kept = keptOf(entity, lifeOf(entity));
  const elements = list?.value ?? [];
  const wrong = (message: string, ...lines: number[]): void =>
    findings.add("log", entity, message, ...lines, list?.line ?? 0);
  if (elements.length !== 2 * kept.length) {
    const message = `its own log has ${elements.length} elements instead of two for each of the last ${kept.length} changes`;
    wrong(message, events.at(-1)?.line ?? 0);
    return;
  }
  const before = events.length - kept.length;
  kept.forEach((event, at) => {
    const previous = events[before + at - 1];
    const isFirst = previous === undefined || kindOf(previous) === "remove";
    const problem = problemOf(elements[2 * at] ?? "", event, isFirst ? {} : previous.fields);
    if (problem !== undefined) wrong(`the record of ${changeWords(event)} ${problem}`, event.line);
    if (elements[2 * at + 1] !== (event.op ?? "")) {
      wrong(`remembers ${elements[2 * at + 1]} for ${changeWords(event)}`, event.line);
    }
  });
}

/** Describes the first error in the record of a change; undefined if it is right. */
function problemOf(text: string, event: LogEntry, before: FieldMap): string | undefined {
  let record: FieldMap;
  try {
    record = JSON.parse(text) as FieldMap;
  } catch {
    return "is not JSON";
  }
  if (/[\n\r\t]/.test(text)) return "is not one line";
  const { set = {}, unset = [], ...facts } = record;
  const { position, type, from, state, version, timestamp, actor, reason, forced } = event;
  const expected: FieldMap = {
    ...{ position: positionText(position), type, from, state, version, timestamp: timeWords(timestamp) },
    ...(actor !== undefined && { actor }),
    ...(reason !== undefined && { reason }),
    ...(forced && { forced }),
  };
  const fact = differingField(expected, facts);
  if (fact !== undefined)
    return `has ${fact} as ${JSON.stringify(facts[fact])} instead of ${JSON.stringify(expected[fact])}`;
  if (kindOf(event) === "remove") return undefined;
  return effectProblem(text, set, unset, event.fields, before);
}

/** Describes the first error in the fields that a record names; undefined if they are right. */
function effectProblem(
  text: string,
  set: unknown,
  unset: unknown,
  after: FieldMap,
  before: FieldMap,
): string | undefined {
  const isValues = !Array.isArray(set);
  const written = isValues ? Object.keys(set as FieldMap) : (set as string[]);
  const removed = unset as string[];
  if (isValues && written.length > 0 && Buffer.byteLength(text) > LONGEST_RECORD)
    return "is too long for values";
  for (const field of written) {
    if (!Object.hasOwn(after, field)) return `sets ${field}, which the entity does not have then`;
    const value = isValues ? (set as FieldMap)[field] : after[field];
    if (JSON.stringify(value) !== JSON.stringify(after[field])) return `sets ${field} to another value`;
  }
  for (const field of removed)
    if (Object.hasOwn(after, field) && !written.includes(field))
      return `removes ${field}, which the entity has then`;
  const left = new Set([...written, ...removed]);
  const untouched = (fields: FieldMap): FieldMap =>
    Object.fromEntries(Object.entries(fields).filter(([field]) => !left.has(field)));
  const field = differingField(untouched(before), untouched(after));
  return field === undefined ? undefined : `does not name ${field}, which changed`;
}
