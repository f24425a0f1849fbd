import type { Valkey } from "iovalkey";
import { NotExecutedError } from "../errors/outcome-errors.js";
import { scripts } from "../lua/index.js";
import { maintenanceScripts } from "../lua/maintenance.js";
import type { Connection } from "../valkey/connection.js";
import { runScript } from "../valkey/script.js";
import { differenceFrom, readChange } from "./change-text.js";
import type { EventWalk } from "./event-walk.js";
import type { Defect, Repair } from "./finding.js";
import { keptChanges } from "./log-check.js";
import { keysIn, type Partition } from "./partition.js";
import type { PartitionServers } from "./partition-servers.js";
import type { StoredEntity } from "./stored-entity.js";
import type { StoredMachine } from "./stored-machine.js";

/** Combines the repairs of all defects of one entity; undefined if nothing can be repaired. */
export function repairOf(defects: readonly Defect[]): Repair | undefined {
  const repairs = defects.flatMap(({ repair }) => repair ?? []);
  return repairs.length === 0 ? undefined : Object.assign({}, ...repairs);
}

/**
 * Repairs the index entry, the timer and the log of one entity by one script. An entity that is dated ahead is first
 * corrected by `expire`, which sets its times to now.
 *
 * @param entity the entity as it was read
 * @returns false if it has changed since it was read; then nothing was written.
 */
export async function repairEntity(
  client: Valkey,
  { keys: shared }: Partition,
  { id, keys, hash, times, index, due, logLength }: StoredEntity,
  repair: Repair,
): Promise<boolean> {
  if (repair.date === true) {
    const { machine, index, due, events } = shared;
    await runScript(client, scripts.expire, [keys.entity, keys.log, machine, index, due, events], [id]);
    return true; // the index entry and the timer follow from the corrected times
  }
  const field = (name: string): string => hash?.get(name) ?? "";
  const reply = await runScript(
    client,
    maintenanceScripts.repair,
    [keys.entity, keys.log, shared.index, shared.due],
    [
      ...[
        id,
        field("state"),
        times === undefined ? "" : `${times.entered} ${times.renewed}`,
        index ?? "",
        due ?? "",
        String(logLength),
      ],
      ...[word(repair.index), word(repair.due), word(repair.log), field("version")],
      ...(repair.log ?? []),
    ],
  );
  return reply === "OK";
}

/**
 * Checks at each server that the user may run the script that repairs. Runs it for an entity that does not exist, of which
 * it changes nothing.
 *
 * @throws NotExecutedError with reply NOPERM if the user may not
 */
export async function checkMayRepair(
  connection: Connection,
  servers: PartitionServers,
  partitions: readonly Partition[],
): Promise<void> {
  const byServer = new Map(partitions.map((one) => [connection.of(one.keys.machine).address, one]));
  await Promise.all(
    Array.from(byServer.values(), (partition) => checkMayRepairAt(connection, servers, partition)),
  );
}

async function checkMayRepairAt(
  connection: Connection,
  servers: PartitionServers,
  partition: Partition,
): Promise<void> {
  const { index, due, machine } = partition.keys;
  const { entity, log } = keysIn(partition, "");
  const args = ["", "none", "", "", "", "", "", "", "", ""];
  const question = `fsck ${partition.location.machine}`;
  try {
    await servers.ask(machine, (client) =>
      runScript(client, maintenanceScripts.repair, [entity, log, index, due], args),
    );
  } catch (error) {
    // Whatever else is wrong, the check finds it.
    if (!(error instanceof NotExecutedError && error.reply === "NOPERM")) return;
    const place = connection.isCluster ? ` at ${connection.of(machine).address}` : "";
    const message = `${question} cannot repair: this user lacks the permissions of an operator${place}`;
    throw new NotExecutedError(`${message}; \`latchkey acl --role operator\` prints them (NOPERM)`, "NOPERM");
  }
}

function word(value: Repair["log"] | Repair["index"]): string {
  if (value === undefined) return "";
  if (value === null) return "-";
  return typeof value === "object" ? "+" : String(value);
}

/**
 * Rebuilds a missing log from the event log. Its records do not list the fields that a change set.
 *
 * @returns the elements of the log, oldest first; undefined if the event log lacks one of its changes, or ends with
 * another change than the entity.
 */
export async function rebuildLog(
  client: Valkey,
  { location, keys }: Partition,
  entity: StoredEntity,
  machine: StoredMachine,
  events: EventWalk,
): Promise<readonly string[] | undefined> {
  const { id, hash } = entity;
  const last = events.last(id);
  if (hash === undefined || machine.definition === undefined || last === undefined || last.isRemoval)
    return undefined;
  if (differenceFrom(last, entity) !== undefined) return undefined;
  const entries = events.run(id).slice(-keptChanges(machine));
  const replies = await Promise.all(entries.map((entry) => client.xrange(keys.events, entry, entry)));
  const texts = replies.flatMap(([entry]) => entry?.[1][1] ?? []); // an entry may have been trimmed since
  const first = readChange(location.machine, texts[0] ?? "");
  const isBegin = first?.version === 1 || first?.type === `${location.machine}.restored`;
  if (texts.length < (isBegin ? entries.length : keptChanges(machine))) return undefined;
  return texts.flatMap((text, at) => {
    const { type, from, state, version, timestamp, actor, reason, forced, op = "" } = JSON.parse(text);
    const record = { position: entries[at], type, from, state, version, timestamp, actor, reason, forced };
    return [JSON.stringify(record), String(op)];
  });
}
