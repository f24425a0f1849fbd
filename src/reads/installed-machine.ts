import { ContractError } from "../errors/latchkey-error.js";
import { LayoutError } from "../errors/layout-error.js";
import { parseCompiledMachine } from "../machine/compile.js";
import type { CompiledMachine } from "../machine/compiled.js";
import { ask } from "../valkey/ask.js";
import type { Connection } from "../valkey/connection.js";
import { type MachineLocation, partitionKeys } from "../valkey/keys.js";

/** A machine that is installed on the server. */
export interface InstalledMachine {
  /** Its definition with all defaults. */
  readonly definition: CompiledMachine;
  /** All states that were ever installed, in the order of the index. */
  readonly ordinals: readonly string[];
}

/**
 * Reads an installed machine; null if it is not installed. All partitions hold the same.
 *
 * @throws LayoutError if the definition is damaged, or another version of latchkey wrote it
 */
export async function readMachine(
  connection: Connection,
  location: MachineLocation,
  partition = 0,
): Promise<InstalledMachine | null> {
  const [definition, states] = await ask(connection, `machine ${location.machine}`, (client) =>
    client.hmget(partitionKeys(location, partition).machine, "definition", "states"),
  );
  if (definition == null || states == null) return null;
  return { definition: parseInstalled(definition, location), ordinals: states.split(" ") };
}

function parseInstalled(text: string, { machine }: MachineLocation): CompiledMachine {
  try {
    return parseCompiledMachine(text);
  } catch {
    throw new LayoutError(
      `the definition of ${machine} on the server is unreadable; run \`latchkey fsck -m ${machine}\` for details`,
    );
  }
}

/**
 * Reads an installed machine.
 *
 * @throws ContractError with code NOMACHINE if it is not installed, for example because the server lost its data
 */
export async function needMachine(
  connection: Connection,
  location: MachineLocation,
  operation: string,
): Promise<InstalledMachine> {
  const installed = await readMachine(connection, location);
  if (installed === null) throw notInstalled(operation, location);
  return installed;
}

/** Makes the error of an operation on a machine that is not installed. */
export function notInstalled(operation: string, { machine }: MachineLocation): ContractError {
  const message = `${operation} ${machine}: the machine is not installed in this namespace; apply it first`;
  return new ContractError("NOMACHINE", message);
}
