import type { Valkey } from "iovalkey";
import { isOwnField } from "../contract/entity-hash.js";
import { type ChangeText, differenceFrom, readChange } from "./change-text.js";
import type { Part } from "./entity-places.js";
import type { Defect } from "./finding.js";
import type { Installed } from "./installed.js";
import type { Look } from "./look.js";

const PAGE = 64;

/** The log of an entity ends with what the entity is, without gaps before, and is as long as the machine's history. */
export function checkLog(look: Look, { location }: Part, { definition }: Installed): Defect[] {
  const { id, hash, places, logLength, newest, wrongTypes } = look;
  if (hash === undefined || wrongTypes.includes(places.log)) return [];
  const at = { id, key: places.log };
  if (logLength === 0) {
    const why = "what happened can't be made up; the next change begins the log again";
    return [{ ...at, kind: "log-missing", message: "the entity has no log", why }];
  }
  const changes = newest.map((text) => readChange(location.machine, text));
  const defects: Defect[] = [...checkLast(look, changes.at(-1))];
  const version = Number(hash.get("version"));
  const broken = brokenProblem(id, logLength - newest.length, logLength, changes);
  // Where the last change differs from the entity, its version says nothing about those before.
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
        ? { mend: { log: history } }
        : { why: "it is not cut while an entry of it is no change: a change might go instead" }),
    });
  }
  if (definition?.version === 1 && logLength < Math.min(version, history)) {
    const message = `it has ${logLength} changes of the last ${Math.min(version, history)}`;
    defects.push({ ...at, kind: "log-short", message, why: "what happened can't be made up" });
  }
  return defects;
}

function checkLast({ id, hash, places }: Look, last: ChangeText | undefined): Defect[] {
  if (hash === undefined || last === undefined) return []; // a broken entry is told of by itself
  const difference = differenceFrom(last, hash, ownNames(hash));
  if (difference === undefined) return [];
  const message = `the last change differs: ${difference}`;
  const why = "whether entity or log is right can't be told here; compare both with the event log";
  return [{ id, key: places.log, kind: "log-differs", message, why }];
}

/** The names of the caller's own fields, stamps included. */
export function ownNames(hash: ReadonlyMap<string, string>): string[] {
  return [...hash.keys()].filter(isOwnField);
}

/**
 * The older part of a long log, page by page. Each page is judged by the version and the length of its own moment, so
 * that changes in between mean nothing.
 */
export async function checkOlder(client: Valkey, { location }: Part, look: Look): Promise<Defect[]> {
  const { id, places, newest } = look;
  // An entry that is no change, where it was put behind them, shifts all before it.
  const mayCount = newest.every((text) => isChangeOf(id, readChange(location.machine, text)));
  for (let to = look.logLength - newest.length - 1; to >= 0; to -= PAGE) {
    const from = Math.max(0, to - PAGE + 1);
    const replies = await client
      .multi()
      .hmget(places.entity, "version")
      .llen(places.log)
      .lrange(places.log, from, to)
      .exec();
    const [versions, length, texts] = (replies ?? []).map(([, reply]) => reply);
    const version = Array.isArray(versions) ? versions[0] : undefined;
    if (typeof version !== "string" || !Array.isArray(texts)) return []; // it went away meanwhile
    const first = Number(version) - Number(length) + 1 + from;
    const changes = texts.map((text) => readChange(location.machine, String(text)));
    const gap = mayCount ? gapProblem(first, changes) : undefined;
    const problem = brokenProblem(id, from, Number(length), changes) ?? gap;
    if (problem !== undefined) return [{ id, key: places.log, ...problem }];
  }
  return [];
}

type Problem = Pick<Defect, "kind" | "message" | "why">;

const WHY = "what happened can't be made up; later changes push it out of the log";

function isChangeOf(id: string, change: ChangeText | undefined): boolean {
  return change !== undefined && change.id === id;
}

/** The first of some entries, which stand behind `before` others of `all`, that is no change of the entity. */
function brokenProblem(
  id: string,
  before: number,
  all: number,
  changes: readonly (ChangeText | undefined)[],
): Problem | undefined {
  const at = changes.findIndex((change) => !isChangeOf(id, change));
  if (at === -1) return undefined;
  return { kind: "log-broken", message: `entry ${before + at + 1} of ${all} is no change of it`, why: WHY };
}

/** The first change that is not the one of its place, where the first place is that of version `first`. */
function gapProblem(first: number, changes: readonly (ChangeText | undefined)[]): Problem | undefined {
  for (const [at, change] of changes.entries()) {
    const expected = first + at;
    if (change === undefined || change.version === expected) continue;
    const message = `where version ${expected} belongs is version ${change.version}`;
    return { kind: "log-gap", message, why: WHY };
  }
  return undefined;
}
