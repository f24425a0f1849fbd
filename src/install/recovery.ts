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

/** Finds the newest known definition, and whether the partitions have it. An older version is that of an interrupted apply. */
export async function findMachine(
  connection: Connection,
  location: MachineLocation,
  definition: CompiledMachine,
): Promise<{ readonly newest: CompiledMachine; readonly isLost: boolean; readonly isCurrent: boolean }> {
  const partitions = await readPartitions(connection, location);
  const newest = newestOf(partitions);
  const isNewer = newest?.definition != null && Number(newest.version) > definition.version;
  const wanted = isNewer ? parseInstalled(newest.definition ?? "", location) : definition;
  return {
    newest: wanted,
    isLost: partitions.some(({ version }) => version === null),
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
