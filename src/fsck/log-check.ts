import type { Valkey } from "iovalkey";
import { type ChangeText, differenceFrom, readChange } from "./change-text.js";
import type { Part } from "./entity-places.js";
import type { Defect } from "./finding.js";
import type { Installed } from "./installed.js";
import type { Look } from "./look.js";

const PAGE = 64;

/** The log of an entity ends with what the entity is, without gaps before, and is as long as the machine's history. */
export function checkLog(look: Look, { place }: Part, { definition }: Installed): Defect[] {
  const { id, hash, places, logLength, newest, wrongTypes } = look;
  if (hash === undefined || wrongTypes.includes(places.log)) return [];
  const at = { id, key: places.log };
  if (logLength === 0) {
    const why = "what happened can't be made up; the next change begins the log again";
    return [{ ...at, kind: "log-missing", message: "the entity has no log", why }];
  }
  const changes = newest.map((text) => readChange(place.machine, text));
  const defects: Defect[] = [...checkLast(look, changes.at(-1))];
  const version = Number(hash.get("version"));
  const problem = orderProblem(id, version - newest.length + 1, changes);
  // Where the last change differs from the entity, its version says nothing about those before.
  if (problem !== undefined && defects.length === 0) defects.push({ ...at, ...problem });
  const history = definition?.history ?? logLength;
  if (logLength > history) {
    const message = `it has ${logLength} changes, the machine keeps ${history}`;
    defects.push({
      ...at,
      kind: "log-long",
      message,
      isExplicable: definition !== undefined && definition.version > 1,
      mend: { log: history },
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
  const internal = ["state", "version", "at", "since", "created", "ops"];
  return [...hash.keys()].filter((field) => !internal.includes(field) && !field.includes(":"));
}

/**
 * The older part of a long log, page by page. Each page is judged by the version and the length of its own moment, so
 * that changes in between mean nothing.
 */
export async function checkOlder(client: Valkey, { place }: Part, look: Look): Promise<Defect[]> {
  const { id, places } = look;
  for (let to = look.logLength - look.newest.length - 1; to >= 0; to -= PAGE) {
    const from = Math.max(0, to - PAGE + 1);
    const replies = await client
      .multi()
      .hget(places.entity, "version")
      .llen(places.log)
      .lrange(places.log, from, to)
      .exec();
    const [version, length, texts] = (replies ?? []).map(([, reply]) => reply);
    if (typeof version !== "string" || !Array.isArray(texts)) return []; // it went away meanwhile
    const first = Number(version) - Number(length) + 1 + from;
    const changes = texts.map((text) => readChange(place.machine, String(text)));
    const problem = orderProblem(id, first, changes);
    if (problem !== undefined) return [{ id, key: places.log, ...problem }];
  }
  return [];
}

function orderProblem(
  id: string,
  first: number,
  changes: readonly (ChangeText | undefined)[],
): Pick<Defect, "kind" | "message" | "why"> | undefined {
  for (const [at, change] of changes.entries()) {
    const expected = first + at;
    const why = "what happened can't be made up; later changes push it out of the log";
    if (change === undefined || change.id !== id) {
      return { kind: "log-broken", message: `where version ${expected} belongs is no change of it`, why };
    }
    if (change.version !== expected) {
      return {
        kind: "log-gap",
        message: `where version ${expected} belongs is version ${change.version}`,
        why,
      };
    }
  }
  return undefined;
}
