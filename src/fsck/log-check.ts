import type { Valkey } from "iovalkey";
import { type ChangeText, differenceFrom, ownNames, readChange } from "./change-text.js";
import type { Defect } from "./finding.js";
import type { Partition } from "./partition.js";
import type { StoredEntity } from "./stored-entity.js";
import type { StoredMachine } from "./stored-machine.js";

const PAGE = 64;

/** Checks that a log ends with the entity as it is, has no gap and is as long as the machine's history. */
export function checkLog(
  entity: StoredEntity,
  { location }: Partition,
  { definition }: StoredMachine,
): Defect[] {
  const { id, hash, keys, logLength, newest, wrongTypes } = entity;
  if (hash === undefined || wrongTypes.includes(keys.log)) return [];
  const at = { id, key: keys.log };
  if (logLength === 0) {
    const why = "fsck cannot reconstruct its changes; the next change creates the log";
    return [{ ...at, kind: "log-missing", message: "the entity has no log", why }];
  }
  const changes = newest.map((text) => readChange(location.machine, text));
  const defects: Defect[] = [...checkLast(entity, changes.at(-1))];
  const version = Number(hash.get("version"));
  const broken = brokenProblem(id, logLength - newest.length, logLength, changes);
  // If the last change differs from the entity, the entity's version says nothing about earlier changes.
  const gap = defects.length === 0 ? gapProblem(version - newest.length + 1, changes) : undefined;
  const problem = broken ?? gap;
  if (problem !== undefined) defects.push({ ...at, ...problem });
  const history = definition?.history ?? logLength;
  if (logLength > history) {
    const message = `it has ${logLength} changes, the machine keeps ${history}`;
    defects.push({
      ...at,
      kind: "log-long",
      message,
      isExplicable: definition !== undefined && definition.version > 1,
      ...(broken === undefined
        ? { repair: { log: history } }
        : { why: "it is not trimmed while an entry is not a change: a change might be lost instead" }),
    });
  }
  if (definition?.version === 1 && logLength < Math.min(version, history)) {
    const message = `it has ${logLength} changes of the last ${Math.min(version, history)}`;
    defects.push({ ...at, kind: "log-short", message, why: "fsck cannot reconstruct changes" });
  }
  return defects;
}

function checkLast({ id, hash, keys }: StoredEntity, last: ChangeText | undefined): Defect[] {
  if (hash === undefined || last === undefined) return []; // a broken entry is a finding of its own
  const difference = differenceFrom(last, hash, ownNames(hash));
  if (difference === undefined) return [];
  const message = `the last change differs: ${difference}`;
  const why = "fsck does not know which one is right; compare both with the event log";
  return [{ id, key: keys.log, kind: "log-differs", message, why }];
}

/**
 * Checks the older part of a long log page by page. Each page is read together with the version and the length of the
 * log, so that changes between two pages do not matter.
 */
export async function checkOlder(
  client: Valkey,
  { location }: Partition,
  entity: StoredEntity,
): Promise<Defect[]> {
  const { id, keys, newest } = entity;
  // An extra entry at the end shifts all entries before it.
  const isCountable = newest.every((text) => isChangeOf(id, readChange(location.machine, text)));
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
    const first = Number(version) - Number(length) + 1 + from;
    const changes = texts.map((text) => readChange(location.machine, String(text)));
    const gap = isCountable ? gapProblem(first, changes) : undefined;
    const problem = brokenProblem(id, from, Number(length), changes) ?? gap;
    if (problem !== undefined) return [{ id, key: keys.log, ...problem }];
  }
  return [];
}

type LogProblem = Pick<Defect, "kind" | "message" | "why">;

const WHY = "fsck cannot reconstruct changes; later changes push it out of the log";

function isChangeOf(id: string, change: ChangeText | undefined): boolean {
  return change !== undefined && change.id === id;
}

/** Reports the first entry that is not a change of the entity. `before` of `all` entries precede these. */
function brokenProblem(
  id: string,
  before: number,
  all: number,
  changes: readonly (ChangeText | undefined)[],
): LogProblem | undefined {
  const at = changes.findIndex((change) => !isChangeOf(id, change));
  if (at === -1) return undefined;
  const message = `entry ${before + at + 1} of ${all} is not a change of it`;
  return { kind: "log-broken", message, why: WHY };
}

/** Reports the first change with an unexpected version. The first one should have version `first`. */
function gapProblem(first: number, changes: readonly (ChangeText | undefined)[]): LogProblem | undefined {
  for (const [at, change] of changes.entries()) {
    const expected = first + at;
    if (change === undefined || change.version === expected) continue;
    const message = `version ${change.version} stands in the place of version ${expected}`;
    return { kind: "log-gap", message, why: WHY };
  }
  return undefined;
}
