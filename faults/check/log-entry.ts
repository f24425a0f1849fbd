import type { FieldMap, FinalEventRecord } from "../history/records.js";
import { observationOf } from "../history/writer.js";
import type { Entity, LogEntry } from "./facts.js";
import { fingerprint } from "./fingerprint.js";
import { positionOf } from "./position.js";

/** Parses an entry of the log. Returns a problem if it is not a change of its machine. */
export function parseLogEntry(
  { machine, entry, document: text }: FinalEventRecord,
  line: number,
  entityOf: (id: string) => Entity,
): LogEntry | string {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return `has the entry ${entry}, whose document is not JSON`;
  }
  const position = positionOf(entry);
  if (position === undefined) return `has the invalid entry ID "${entry}"`;
  if (!isChange(document) || document.machine !== machine)
    return `has the entry ${entry}, which is not a change`;
  const { state, version, timestamp, since, createdAt, fields } = observationOf(document);
  const { id, type, from, op, forced, actor, reason } = document;
  const content = JSON.stringify(document);
  return {
    line,
    position,
    entity: entityOf(id),
    type,
    from,
    state,
    version,
    fields,
    timestamp: Date.parse(timestamp),
    since: Date.parse(since),
    created: Date.parse(createdAt),
    op: typeof op === "string" ? op : undefined,
    forced: forced === true,
    actor: typeof actor === "string" ? actor : undefined,
    reason: typeof reason === "string" ? reason : undefined,
    content: fingerprint(content),
  };
}

interface ChangeDocument {
  readonly machine: string;
  readonly id: string;
  readonly type: string;
  readonly from: string | null;
}

function isChange(value: unknown): value is FieldMap & ChangeDocument {
  if (typeof value !== "object" || value === null) return false;
  const { id, type, from, state, version, timestamp, since, createdAt } = value as FieldMap;
  return (
    [id, type, state, timestamp, since, createdAt].every((text) => typeof text === "string") &&
    (from === null || typeof from === "string") &&
    Number.isSafeInteger(version) &&
    [timestamp, since, createdAt].every((time) => !Number.isNaN(Date.parse(String(time))))
  );
}
