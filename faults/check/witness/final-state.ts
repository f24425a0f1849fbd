import type { Entity, LogEntry } from "../facts.js";
import type { Findings } from "../report.js";
import { timeWords } from "../words.js";
import { kindOf } from "./log.js";

const RING = 5;
/** Fields of the scripts. Those of later scripts contain a colon. */
const INTERNAL: ReadonlySet<string> = new Set("state version at since created ops".split(" "));

/** Checks that the final state of an entity follows from the log. */
export function checkFinal(entity: Entity, findings: Findings): void {
  const last = entity.events.at(-1);
  if (last === undefined || kindOf(last) === "remove") {
    checkAbsent(entity, last, findings);
    return;
  }
  checkHash(entity, last, findings);
  const { machine, hash, index, due, list } = entity;
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
  const life = lifeOf(entity);
  const tail = life.slice(-machine.history);
  const texts = list?.value ?? [];
  if (texts.length !== tail.length || tail.some(({ text }, at) => text !== texts[at])) {
    const message = `its list of ${texts.length} changes is not the last ${tail.length} of the log`;
    findings.add("log", entity, message, last.line, list?.line ?? 0);
  }
}

function checkAbsent(entity: Entity, last: LogEntry | undefined, findings: Findings): void {
  const why = last === undefined ? "was never created" : "was removed";
  const left = [
    ["entity", entity.hash],
    ["index", entity.index],
    ["due", entity.due],
    ["log", entity.list],
  ] as const;
  for (const [rule, place] of left) {
    if (place !== undefined)
      findings.add(rule, entity, `it ${why}, but its ${rule} exists`, last?.line ?? 0, place.line);
  }
}

/** Returns the changes since the last creation of the entity. */
function lifeOf({ events }: Entity): readonly LogEntry[] {
  const removal = events.findLastIndex((event) => kindOf(event) === "remove");
  return events.slice(removal + 1);
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
    ["at", String(last.timestamp)],
    ["since", String(last.since)],
    ["created", timeWords(last.created)],
  ] as const;
  for (const [field, logged] of facts) {
    if (hash[field] !== logged) wrong(`its ${field} is ${hash[field]}, but the log ends with ${logged}`);
  }
  const own = Object.keys(hash).filter((field) => !INTERNAL.has(field) && !field.includes(":"));
  const names = new Set([...own, ...Object.keys(last.fields)]);
  for (const field of names) {
    const logged = Object.hasOwn(last.fields, field) ? JSON.stringify(last.fields[field]) : undefined;
    if (contentOf(hash[field]) !== logged)
      wrong(`its field ${field} is ${hash[field]}, but the log ends with ${logged}`);
  }
  const ring = lifeOf(entity)
    .filter(({ op }) => op !== undefined)
    .slice(-RING)
    .map(({ op, version, timestamp }) => `${op} ${version} ${timestamp}`);
  const remembered = Array.from({ length: RING }, (_, at) => hash[`op:${at}`] ?? "").filter(
    (op) => op !== "",
  );
  if (ring.toSorted().join() !== remembered.toSorted().join()) {
    wrong(
      `it remembers the idempotency keys [${remembered.join(", ")}], but the last ones of the log are [${ring.join(", ")}]`,
    );
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
