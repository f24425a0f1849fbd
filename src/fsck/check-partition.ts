import type { Valkey } from "iovalkey";
import { endOf } from "../valkey/stream.js";
import { EntityCheck, type Treatment } from "./entity-check.js";
import type { Part } from "./entity-places.js";
import { EventWalk } from "./event-walk.js";
import type { Defect, Finding } from "./finding.js";
import type { Installed } from "./installed.js";
import { groupsOf, keyedIds, membersOf } from "./walk.js";

/** How to check a partition. */
export interface PartitionOptions extends Treatment {
  /** Also walks over all keys of the server. */
  readonly deep: boolean;
  /** Called after each small step, to let others go first; throws to stop. */
  readonly rest: (progress: { entities: number; events: number }) => Promise<void>;
}

/** What of a partition was checked. */
export interface Checked {
  /** Those that are there; what is left of removed ones was looked at too. */
  readonly entities: number;
  readonly events: number;
}

/** The types that the keys shared by a partition must have. */
const TYPES = { index: "zset", due: "zset", events: "stream" } as const;

/**
 * Checks all entities of one partition that the event log, the index, the timers and (if `deep`) the keys tell of, each
 * once, and yields what is wrong as it is found.
 */
export async function* checkPartition(
  client: Valkey,
  part: Part,
  installed: Installed,
  options: PartitionOptions,
): AsyncGenerator<Finding, Checked> {
  const types = await typesOf(client, part);
  for (const name of ["index", "due", "events"] as const) {
    if (types[name] === TYPES[name] || types[name] === "none") continue;
    const message = `it holds a ${types[name]} instead of a ${TYPES[name]}, so that no change is possible`;
    const why = "something other than latchkey wrote it; rename or delete it, then run this again";
    yield asLeft(part, { kind: "key-type", id: "", key: part.keys[name], message, why });
  }
  const isReadable = (name: keyof typeof TYPES): boolean => types[name] === TYPES[name];
  const events = types.events === "none" || isReadable("events") ? new EventWalk(part) : undefined;
  const seen = new Set<string>();
  let entities = 0;
  const rest = (): Promise<void> => options.rest({ entities, events: events?.count ?? 0 });
  if (events !== undefined) {
    const end = await endOf(client, part.keys.events);
    for (let isDone = false; !isDone; await rest()) {
      const step = await events.step(client, end);
      for (const defect of step.defects) yield asLeft(part, defect);
      isDone = step.isDone;
    }
  }
  const check = new EntityCheck(client, part, installed, events, options);
  const sources: (() => AsyncIterable<string[]> | Iterable<string[]>)[] = [
    ...(isReadable("index") ? [() => membersOf(client, part.keys.index)] : []),
    ...(isReadable("due") ? [() => membersOf(client, part.keys.due)] : []),
    () => groupsOf(events?.ids() ?? []),
    ...(options.deep ? [() => keyedIds(client, part)] : []),
  ];
  for (const source of sources) {
    for await (const ids of source()) {
      const unseen = [...new Set(ids)].filter((id) => !seen.has(id));
      for (const id of unseen) seen.add(id);
      // Its bytes are no text: what was read is not what to ask for.
      for (const id of unseen.filter(isUnreadable)) yield asLeft(part, unreadable(part, id));
      const fresh = unseen.filter((id) => !isUnreadable(id));
      if (fresh.length > 0) {
        const found = await check.check(fresh);
        entities += found.entities;
        for (const defect of found.logDefects) yield asLeft(part, defect);
        yield* found.findings;
      }
      await rest();
    }
  }
  return { entities, events: events?.count ?? 0 };
}

function isUnreadable(id: string): boolean {
  return id.includes("\uFFFD");
}

function unreadable({ keys }: Part, id: string): Defect {
  const message = "an entry of the index, the timers or the keys is no valid UTF-8";
  const why = "something other than latchkey wrote it; find it with valkey-cli and take it away";
  return { kind: "id-broken", id, key: keys.machine.replace(/machine$/, "*"), message, why };
}

async function typesOf(client: Valkey, { keys }: Part): Promise<Record<keyof typeof TYPES, string>> {
  const [index, due, events] = await Promise.all([
    client.type(keys.index),
    client.type(keys.due),
    client.type(keys.events),
  ]);
  return { index, due, events };
}

/** A defect that nothing can be done about here. */
export function asLeft({ partition }: Part, { kind, id, key, message, why }: Defect): Finding {
  return { kind, id, partition, key, message, result: "left", ...(why !== undefined && { why }) };
}
