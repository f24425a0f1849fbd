import type { Valkey } from "iovalkey";
import { differenceFrom, type LogRecord, readRecord } from "./change-text.js";
import type { Defect } from "./finding.js";
import type { Partition } from "./partition.js";
import type { StoredEntity } from "./stored-entity.js";
import type { StoredMachine } from "./stored-machine.js";

/** Number of elements that are read at once: two for each change. */
const PAGE = 128;
/** The log keeps at least this many changes: the idempotency keys that an entity remembers. */
const REMEMBERED = 32;
/** The scripts trim eight changes at once. */
const UNTRIMMED = 7;

/** Returns how many changes an entity's log keeps at least. */
export function keptChanges({ definition }: StoredMachine): number {
  return Math.max(definition?.history ?? 0, REMEMBERED);
}

/** Checks that a log ends with the entity as it is, has no gap and is as long as it should be. */
export function checkLog(entity: StoredEntity, { location }: Partition, machine: StoredMachine): Defect[] {
  const { id, hash, keys, logLength, newest, wrongTypes } = entity;
  if (hash === undefined || wrongTypes.includes(keys.log)) return [];
  const at = { id, key: keys.log };
  if (logLength === 0) {
    const why = "fsck cannot reconstruct its changes; the next change creates the log";
    return [{ ...at, kind: "log-missing", message: "the entity has no log", why }];
  }
  const records = recordsOf(newest);
  const defects: Defect[] = [];
  const last = records.at(-1);
  const difference = last && differenceFrom(last, entity); // a broken entry is a finding of its own
  if (difference !== undefined) {
    const message = `the last change differs: ${difference}`;
    const why = "fsck does not know which one is right; compare both with the event log";
    defects.push({ ...at, kind: "log-differs", message, why });
  }
  const version = Number(hash.get("version"));
  const count = logLength / 2;
  const broken = brokenProblem(logLength - newest.length, logLength, records);
  // If the last change differs from the entity, the entity's version says nothing about earlier changes.
  const gap = difference === undefined ? gapProblem(version - records.length + 1, records) : undefined;
  const problem = broken ?? gap;
  if (problem !== undefined) defects.push({ ...at, ...problem });
  const { definition } = machine;
  if (definition?.version !== 1) return defects; // an older version may have kept another number
  const kept = keptChanges(machine);
  if (count > kept + UNTRIMMED) {
    const why = "the next changes trim it";
    defects.push({
      ...at,
      kind: "log-long",
      message: `it has ${count} changes, but keeps ${kept} to ${kept + UNTRIMMED}`,
      why,
    });
  }
  const expected = Math.min(version, kept);
  if (count < expected && records[0]?.type !== `${location.machine}.restored`) {
    const message = `it has ${count} changes of the last ${expected}`;
    defects.push({ ...at, kind: "log-short", message, why: "fsck cannot reconstruct changes" });
  }
  return defects;
}

/**
 * Checks the older part of a long log page by page. Each page is read together with the version and the length of the
 * log, so that changes between two pages do not matter.
 */
export async function checkOlder(client: Valkey, entity: StoredEntity): Promise<Defect[]> {
  const { id, keys, newest } = entity;
  // An extra entry at the end shifts all entries before it.
  const isCountable = recordsOf(newest).every((record) => record !== undefined);
  for (let to = entity.logLength - newest.length - 1; to >= 0; to -= PAGE) {
    const from = Math.max(0, to - PAGE + 1);
    const replies = await client
      .multi()
      .hmget(keys.entity, "version")
      .llen(keys.log)
      .lrange(keys.log, from, to)
      .exec();
    const [versions, length, texts] = (replies ?? []).map(([, reply]) => reply);
    const version = Array.isArray(versions) ? versions[0] : undefined;
    if (typeof version !== "string" || !Array.isArray(texts)) return []; // it was removed meanwhile
    const first = Number(version) + 1 - (Number(length) - from) / 2;
    const records = recordsOf(texts.map(String));
    const gap = isCountable ? gapProblem(first, records) : undefined;
    const problem = brokenProblem(from, Number(length), records) ?? gap;
    if (problem !== undefined) return [{ id, key: keys.log, ...problem }];
  }
  return [];
}

type LogProblem = Pick<Defect, "kind" | "message" | "why">;

const WHY = "fsck cannot reconstruct changes; later changes push it out of the log";
const OP = /^[A-Za-z0-9_.~:/@+=-]{0,64}$/;

/** Reads records with their idempotency keys; undefined for those that are not both. */
function recordsOf(elements: readonly string[]): (LogRecord | undefined)[] {
  return elements.flatMap((text, at) => {
    if (at % 2 === 1) return [];
    return [OP.test(elements[at + 1] ?? "{") ? readRecord(text) : undefined];
  });
}

/** Reports the first entry that is not a change. `before` of `all` elements precede these. */
function brokenProblem(
  before: number,
  all: number,
  records: readonly (LogRecord | undefined)[],
): LogProblem | undefined {
  const at = records.indexOf(undefined);
  if (at === -1) return undefined;
  const message = `entry ${before / 2 + at + 1} of ${all / 2} is not a change`;
  return { kind: "log-broken", message, why: WHY };
}

/** Reports the first change with an unexpected version. The first one should have version `first`. */
function gapProblem(first: number, records: readonly (LogRecord | undefined)[]): LogProblem | undefined {
  for (const [at, record] of records.entries()) {
    const expected = first + at;
    if (record === undefined || record.version === expected) continue;
    const message = `version ${record.version} stands in the place of version ${expected}`;
    return { kind: "log-gap", message, why: WHY };
  }
  return undefined;
}
