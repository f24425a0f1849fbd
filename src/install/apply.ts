import { transition } from "../changes/change.js";
import { unwrap } from "../changes/result.js";
import { checkFlag, checkObject, checkOptions } from "../contract/arguments.js";
import { MachineInUseError } from "../errors/machine-in-use-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import { compareMachines } from "../machine/compare.js";
import { parseInstalled, readMachine } from "../reads/installed-machine.js";
import { list } from "../reads/list.js";
import { Deadline } from "../valkey/deadline.js";
import { safeMessage } from "../valkey/failure.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { applyEverywhere } from "./everywhere.js";
import { type InstalledPartition, newestOf, readReachablePartitions } from "./partitions.js";

/** Options of `apply`. */
export interface ApplyOptions {
  /** New states for the entities in states that this version drops: old state to new state. */
  readonly map?: Readonly<Record<string, string>>;
  /** Reports what would change, and writes nothing. @default false */
  readonly dryRun?: boolean;
  /** Name of the process or user, for the events of moved entities. */
  readonly actor?: string;
}

const OPTIONS: readonly (keyof ApplyOptions)[] = ["map", "dryRun", "actor"];

/** Checks the options of `apply`. @throws ContractError with code BADARG if one is unknown or invalid */
export function checkApply(options: ApplyOptions): void {
  checkOptions(options, OPTIONS);
  if (options.map !== undefined) checkObject("map", options.map);
  checkFlag("dryRun", options.dryRun);
}

/** Result of `apply`. With `dryRun`, the result that it would have. */
export interface Applied {
  readonly machine: string;
  readonly version: number;
  /** The version that was installed before; null if there was none. */
  readonly before: number | null;
  /** False if the same definition was already installed. */
  readonly changed: boolean;
  /** Differences from the installed definition, one per line. */
  readonly differences: readonly string[];
  /** Number of entities in each dropped state, before they are moved. */
  readonly retired: Readonly<Record<string, number>>;
  /** Number of entities that were moved out of dropped states. */
  readonly moved: number;
}

/**
 * Installs a machine in all partitions, or in none if one of them rejects it.
 *
 * With `map`, moves entities out of dropped states one by one, each by a transition. If the call is interrupted, the
 * remaining entities stay where they are, and only the mapped transition is allowed; applying again moves them.
 *
 * @param previewMs time limit in each partition of the attempt that writes nothing, before the machine is installed
 * @throws MachineInUseError if a newer version, another definition of this version or entities in dropped states prevent it;
 * ApplyInterruptedError if some partitions may have the new version and others not: apply it again
 */
export async function applyMachine(
  store: MachineStore,
  options: ApplyOptions = {},
  previewMs?: number,
): Promise<Applied> {
  const { connection, location, definition } = store;
  const map = Object.entries(options.map ?? {});
  // With one partition an id is in the same place for every client, whatever number of partitions it knows.
  const fence = location.partitions > 1 ? ["FENCE"] : [];
  const words = [definition.json, ...map.flatMap(([old, now]) => ["MAP", old, now]), ...fence];
  const preview = await applyEverywhere(store, [...words, "DRYRUN"], previewMs).catch((error: unknown) => {
    const isDown = error instanceof NotExecutedError && DOWN.includes(error.reply);
    throw connection.isCluster && isDown ? needsAll(error) : error;
  });
  const installed = await readMachine(connection, location);
  const isDryRun = options.dryRun === true;
  const answers = isDryRun ? preview : await applyEverywhere(store, words);
  const retired: Record<string, number> = {};
  for (const [state, number] of answers.flatMap((answer) => Object.entries(answer.retired ?? {})))
    retired[state] = (retired[state] ?? 0) + number;
  return {
    machine: definition.name,
    version: definition.version,
    before: installed?.definition.version ?? null,
    changed: preview.some(({ changed }) => changed === true),
    differences: installed === null ? [] : compareMachines(installed.definition, definition),
    retired,
    moved: isDryRun ? 0 : await moveEntities(store, map, retired, options.actor),
  };
}

/** Replies of a server that is down for now; "" if there is none. */
const DOWN: readonly string[] = ["", "CLUSTERDOWN", "LOADING", "MASTERDOWN"];

/** Explains that nothing was installed, because a server of the cluster is down. */
function needsAll({ message, reply }: NotExecutedError): NotExecutedError {
  const remedy = "start the server or wait for a replica to replace it, and apply again";
  return new NotExecutedError(
    `${message}; nothing was installed, because that needs all servers: ${remedy}`,
    reply,
  );
}

/** A machine that is ready for use. */
export interface UsedMachine {
  /** Has the installed definition, if that is another one than the program's. */
  readonly store: MachineStore;
  /** True if all partitions have the machine; false if some could not be read. */
  readonly isEverywhere: boolean;
}

/**
 * Installs a machine if it is newer than the installed one. Writes nothing if it is installed already, or a newer one is.
 * Then a server of a cluster may be unreachable, as long as the others hold it.
 * On a replica, and for a user who may not write, the installed one applies, also if it is older.
 *
 * @throws as {@link applyMachine}
 */
export async function useMachine(store: MachineStore): Promise<UsedMachine> {
  const { connection, location, definition } = store;
  const deadline = Deadline.in(connection.timeoutMs);
  const { partitions, away } = await readReachablePartitions(connection, location, { deadline });
  const isOwn = (part: InstalledPartition) => part.isListed && part.definition === definition.json;
  const isNewer = ({ version }: InstalledPartition) => Number(version) > definition.version;
  if (partitions.every((part) => isOwn(part) || isNewer(part))) {
    if (away.length > 0) warnOfAway(store, away);
    const used = partitions.some(isNewer) ? withInstalled(store, partitions) : store;
    return { store: used, isEverywhere: away.length === 0 };
  }
  try {
    // The unreachable servers have been waited for already.
    await applyMachine(store, {}, away.length > 0 ? deadline.remainingMs : undefined);
    return { store, isEverywhere: true };
  } catch (error) {
    if (!(error instanceof MachineInUseError && error.problem === "LOWER") && !mayNotWrite(error))
      throw error;
    const { partitions: present, away: awayNow } = await readReachablePartitions(connection, location);
    const isPresent = present.every(({ version }) => version !== null);
    const isEverywhere = isPresent && awayNow.length === 0;
    if (!mayNotWrite(error)) return { store: withInstalled(store, present), isEverywhere };
    if (!isPresent) throw error;
    const installed = withInstalled(store, present);
    connection.logger.warn(
      { machine: location.machine, version: definition.version, installed: installed.definition.version },
      `the definition of this program is not installed, and the server's applies: ${safeMessage(error)}`,
    );
    return { store: installed, isEverywhere };
  }
}

function warnOfAway({ connection, location }: MachineStore, servers: readonly string[]): void {
  connection.logger.warn(
    { machine: location.machine, servers },
    `servers of the cluster are unreachable (${servers.join(", ")}); calls for their partitions fail until they or their replicas reply`,
  );
}

/** Returns whether a replica or a missing permission prevented a call. */
function mayNotWrite(error: unknown): boolean {
  return error instanceof NotExecutedError && (error.reply === "READONLY" || error.reply === "NOPERM");
}

function withInstalled(store: MachineStore, partitions: readonly InstalledPartition[]): MachineStore {
  const text = newestOf(partitions)?.definition ?? store.definition.json;
  return { ...store, definition: parseInstalled(text, store.location), ownDefinition: store.definition };
}

/** Moves the entities of dropped states. Returns how many it moved. */
async function moveEntities(
  store: MachineStore,
  map: readonly (readonly [string, string])[],
  retired: Readonly<Record<string, number>>,
  actor: string | undefined,
): Promise<number> {
  const { name, version } = store.definition;
  let moved = 0;
  for (const [old, now] of map) {
    if (retired[old] === undefined) continue;
    for await (const { id } of list(store, { state: old })) {
      const reason = `machine ${name} version ${version} drops ${old}`;
      const result = await transition(store, id, now, { reason, ...(actor !== undefined && { actor }) });
      // Another process moved or removed it first, which is fine.
      if (!result.ok && result.current?.state !== old) continue;
      unwrap(result);
      moved += 1;
    }
  }
  return moved;
}
