import type { Valkey } from "iovalkey";
import { endOf } from "../valkey/stream.js";
import { EntityCheck, type RepairOptions } from "./entity-check.js";
import { EventWalk } from "./event-walk.js";
import { type Finding, manual } from "./finding.js";
import { idGroups, membersOf, type Partition, scanIds } from "./partition.js";
import type { StoredMachine } from "./stored-machine.js";

/** Options of {@link checkPartition}. */
export interface PartitionOptions extends RepairOptions {
  /** Also scans all keys of the server. */
  readonly deep: boolean;
  /** Called after each small step, to let other clients go first; throws to stop. */
  readonly rest: (counts: PartitionCounts) => Promise<void>;
}

/** Counts what was checked in a partition. */
export interface PartitionCounts {
  /** Existing entities; remains of removed ones are checked but not counted. */
  readonly entities: number;
  readonly events: number;
}

/** The types of the keys that all entities of a partition share. */
const TYPES = { index: "zset", due: "zset", events: "stream" } as const;

/**
 * Checks all entities of one partition that the event log, the index, the timers and (if `deep`) the keys name, each
 * once, and yields the findings as it goes.
 */
export async function* checkPartition(
  client: Valkey,
  partition: Partition,
  machine: StoredMachine,
  options: PartitionOptions,
): AsyncGenerator<Finding, PartitionCounts> {
  const { keys, number, prefix } = partition;
  const [index, due, stream] = await Promise.all([
    client.type(keys.index),
    client.type(keys.due),
    client.type(keys.events),
  ]);
  const types = { index, due, events: stream };
  for (const name of ["index", "due", "events"] as const) {
    if (types[name] === TYPES[name] || types[name] === "none") continue;
    const message = `the key is a ${types[name]} instead of a ${TYPES[name]}, so no change is possible`;
    const why = "not written by latchkey; rename or delete it, then run fsck again";
    yield manual(number, { kind: "key-type", id: "", key: keys[name], message, why });
  }
  const events = stream === "none" || stream === TYPES.events ? new EventWalk(partition) : undefined;
  let entities = 0;
  const rest = (): Promise<void> => options.rest({ entities, events: events?.count ?? 0 });
  if (events !== undefined) {
    const end = await endOf(client, keys.events);
    for (let isDone = false; !isDone; await rest()) {
      const step = await events.step(client, end);
      for (const defect of step.defects) yield manual(number, defect);
      isDone = step.isDone;
    }
  }
  const check = new EntityCheck(client, partition, machine, events, options);
  const sources: (() => AsyncIterable<string[]> | Iterable<string[]>)[] = [
    ...(index === TYPES.index ? [() => membersOf(client, keys.index)] : []),
    ...(due === TYPES.due ? [() => membersOf(client, keys.due)] : []),
    () => idGroups(events?.ids() ?? []),
    ...(options.deep ? [() => scanIds(client, partition)] : []),
  ];
  const known = new Set<string>();
  for (const source of sources) {
    for await (const batch of source()) {
      const ids = [...new Set(batch)].filter((id) => !known.has(id));
      for (const id of ids) known.add(id);
      // Decoding replaced invalid bytes, so this id cannot be used to read the entity.
      for (const id of ids.filter(isBroken)) {
        const message = "an entry of the index, the timers or the keys is not valid UTF-8";
        const why = "not written by latchkey; find it with valkey-cli and remove it";
        yield manual(number, { kind: "id-broken", id, key: `${prefix}*`, message, why });
      }
      const readable = ids.filter((id) => !isBroken(id));
      if (readable.length > 0) {
        const result = await check.check(readable);
        entities += result.entities;
        yield* result.findings;
      }
      await rest();
    }
  }
  return { entities, events: events?.count ?? 0 };
}

function isBroken(id: string): boolean {
  return id.includes("\uFFFD");
}
