import { isError } from "../errors/is-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import type { CompiledMachine } from "../machine/compiled.js";
import { parseInstalled } from "../reads/installed-machine.js";
import type { Connection } from "../valkey/connection.js";
import { safeMessage } from "../valkey/failure.js";
import type { MachineLocation } from "../valkey/keys.js";
import { applyMachine } from "./apply.js";
import { newestOf, readPartitions } from "./partitions.js";

/** Problems of a recovery that leave the machine installed: another version is there already. */
const PRESENT: readonly unknown[] = ["LOWER", "DIFFERENT"];

/**
 * Finds the newest known definition, and whether the partitions have it. An interrupted apply leaves older versions. If it was
 * the first one, it leaves the last partitions without the machine, because it goes through them in their order. A server
 * that lost its data leaves gaps, because its partitions are scattered.
 *
 * @param wasEverywhere true if all partitions are known to have had the machine, so that a missing one is lost
 */
export async function findMachine(
  connection: Connection,
  location: MachineLocation,
  definition: CompiledMachine,
  wasEverywhere: boolean,
): Promise<{ readonly newest: CompiledMachine; readonly isLost: boolean; readonly isCurrent: boolean }> {
  const partitions = await readPartitions(connection, location);
  const newest = newestOf(partitions);
  const isNewer = newest?.definition != null && Number(newest.version) > definition.version;
  const wanted = isNewer ? parseInstalled(newest.definition ?? "", location) : definition;
  const missing = partitions.findIndex(({ version }) => version === null);
  const mayBeUnreached = missing > 0 && partitions.slice(missing).every(({ version }) => version === null);
  return {
    newest: wanted,
    isLost: missing >= 0 && (wasEverywhere || !mayBeUnreached),
    isCurrent: partitions.every(({ version }) => Number(version) >= wanted.version),
  };
}

/**
 * Installs a lost machine again.
 *
 * @returns false if the server does not accept the machine, for example for want of a permission
 * @throws NotExecutedError if there is no reply
 */
export async function reinstall(
  connection: Connection,
  location: MachineLocation,
  definition: CompiledMachine,
): Promise<boolean> {
  try {
    await applyMachine({ connection, location, definition });
    return true;
  } catch (error) {
    if (error instanceof NotExecutedError && error.reply === "") throw error; // the caller tries again
    const { namespace, machine } = location;
    connection.logger.warn(
      { namespace, machine, error: safeMessage(error) },
      "a lost machine could not be installed again",
    );
    return isError(error) && "problem" in error && PRESENT.includes(error.problem);
  }
}
