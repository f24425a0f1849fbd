import type { Valkey } from "iovalkey";
import { maintenanceScripts } from "../lua/maintenance.js";
import { runScript } from "../valkey/script.js";
import { differenceFrom, ownNames, readChange } from "./change-text.js";
import type { EventWalk } from "./event-walk.js";
import type { Defect, Repair } from "./finding.js";
import type { Partition } from "./partition.js";
import type { StoredEntity } from "./stored-entity.js";
import type { StoredMachine } from "./stored-machine.js";

/** Combines the repairs of all defects of one entity; undefined if nothing can be repaired. */
export function repairOf(defects: readonly Defect[]): Repair | undefined {
  const repairs = defects.flatMap(({ repair }) => repair ?? []);
  return repairs.length === 0 ? undefined : Object.assign({}, ...repairs);
}

/**
 * Repairs the index entry, the timer and the log of one entity by one script.
 *
 * @param entity the entity as it was read
 * @returns false if it has changed since it was read; then nothing was written.
 */
export async function repairEntity(
  client: Valkey,
  partition: Partition,
  { id, keys, hash, index, due, logLength }: StoredEntity,
  repair: Repair,
): Promise<boolean> {
  const field = (name: string): string => hash?.get(name) ?? "";
  const reply = await runScript(
    client,
    maintenanceScripts.repair,
    [keys.entity, keys.log, partition.keys.index, partition.keys.due],
    [
      ...[id, field("state"), field("since"), index ?? "", due ?? "", String(logLength)],
      ...[word(repair.index), word(repair.due), word(repair.log), field("version")],
      ...(Array.isArray(repair.log) ? repair.log : []),
    ],
  );
  return reply === "OK";
}

function word(value: Repair["log"]): string {
  if (value === undefined) return "";
  if (value === null) return "-";
  return typeof value === "object" ? "+" : String(value);
}

/**
 * Rebuilds a missing log from the event log, which holds the same texts.
 *
 * @returns the changes, oldest first; undefined if the event log lacks one of them, or ends with another version than
 * the entity has.
 */
export async function rebuildLog(
  client: Valkey,
  { location, keys }: Partition,
  { id, hash }: StoredEntity,
  { definition }: StoredMachine,
  events: EventWalk,
): Promise<readonly string[] | undefined> {
  const last = events.last(id);
  if (hash === undefined || definition === undefined || last === undefined || last.isRemoval)
    return undefined;
  const version = Number(hash.get("version"));
  const length = Math.min(version, definition.history);
  const entries = events.run(id).slice(-length);
  if (last.version !== version || !(length > 0) || entries.length < length) return undefined;
  const replies = await Promise.all(entries.map((entry) => client.xrange(keys.events, entry, entry)));
  const texts = replies.flatMap(([entry]) => entry?.[1][1] ?? []); // an entry may have been trimmed since
  const changes = texts.map((text) => readChange(location.machine, text));
  const first = version - length + 1;
  const isWhole =
    changes.length === length &&
    changes.every((change, at) => change?.id === id && change.version === first + at);
  const newest = changes.at(-1);
  if (!isWhole || newest === undefined) return undefined;
  return differenceFrom(newest, hash, ownNames(hash)) === undefined ? texts : undefined;
}
