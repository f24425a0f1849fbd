import type { Entity, LogEntry } from "../facts.js";
import { positionText, tombstoneScore } from "../position.js";
import type { Findings } from "../report.js";
import { timeWords } from "../words.js";
import { madeAt } from "./claims.js";
import { checkEntityLog, forgottenOf } from "./entity-log.js";
import { kindOf } from "./log.js";

/** Fields of the scripts. */
const INTERNAL: ReadonlySet<string> = new Set("state version created".split(" "));

/** Checks that the final state of an entity follows from the log. */
export function checkFinal(entity: Entity, findings: Findings): void {
  const last = entity.events.at(-1);
  if (last === undefined || kindOf(last) === "remove") {
    checkAbsent(entity, last, findings);
    return;
  }
  checkHash(entity, last, findings);
  const { machine, hash, index, due } = entity;
  const lines = [last.line, hash?.line ?? 0] as const;
  const score = machine.indexScore(last.state, last.since);
  if (index?.value !== score) {
    const message = `the index has ${index?.value ?? "no entry"}, but ${score} follows from ${last.state} since ${last.since}`;
    findings.add("index", entity, message, ...lines, index?.line ?? 0);
  }
  const dueAt = machine.dueAt(last.state, last.since);
  if (due?.value !== dueAt) {
    const message = `its timer ends at ${due?.value ?? "no time"}, but ${dueAt ?? "none"} follows from ${last.state}`;
    findings.add("due", entity, message, ...lines, due?.line ?? 0);
  }
  checkEntityLog(entity, findings);
}

/** Checks that nothing is left of a removed entity but its tombstone in the index, and nothing of one that never existed. */
function checkAbsent(entity: Entity, last: LogEntry | undefined, findings: Findings): void {
  const why = last === undefined ? "was never created" : "was removed";
  const left = [
    ["entity", entity.hash],
    ["due", entity.due],
    ["log", entity.list],
  ] as const;
  for (const [rule, place] of left) {
    if (place !== undefined)
      findings.add(rule, entity, `it ${why}, but its ${rule} exists`, last?.line ?? 0, place.line);
  }
  const tombstone = last && tombstoneScore(last.position);
  if (entity.index?.value !== tombstone) {
    const message = `it ${why}, but the index has ${entity.index?.value ?? "no entry"} instead of ${tombstone ?? "none"}`;
    findings.add("index", entity, message, last?.line ?? 0, entity.index?.line ?? 0);
  }
}

function checkHash(entity: Entity, last: LogEntry, findings: Findings): void {
  const { hash: held } = entity;
  if (held === undefined) {
    findings.add(
      "entity",
      entity,
      `the log ends with version ${last.version}, but it does not exist`,
      last.line,
    );
    return;
  }
  const hash = held.value;
  const wrong = (message: string): void => findings.add("entity", entity, message, last.line, held.line);
  const facts = [
    ["state", last.state],
    ["version", String(last.version)],
    ["times:ms", `${last.timestamp} ${last.since} 0`],
    ["created", timeWords(last.created)],
    ["ops:forgot", forgottenOf(entity)],
  ] as const;
  for (const [field, logged] of facts) {
    if (hash[field] !== logged)
      wrong(
        `its ${field} is ${hash[field]}, but ${logged} follows from the log, which ends with ${positionText(madeAt(last))}`,
      );
  }
  const own = Object.keys(hash).filter((field) => !INTERNAL.has(field) && !field.includes(":"));
  const names = new Set([...own, ...Object.keys(last.fields)]);
  for (const field of names) {
    const logged = Object.hasOwn(last.fields, field) ? JSON.stringify(last.fields[field]) : undefined;
    if (contentOf(hash[field]) !== logged)
      wrong(`its field ${field} is ${hash[field]}, but the log ends with ${logged}`);
  }
}

/** Formats a JSON text as JavaScript does. */
function contentOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    return JSON.stringify(JSON.parse(text));
  } catch {
    return text;
  }
}
