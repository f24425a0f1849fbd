import { ContractError } from "../errors/latchkey-error.js";
import { LayoutError } from "../errors/layout-error.js";
import { parseCompiledMachine } from "../machine/compile.js";
import type { CompiledMachine } from "../machine/compiled.js";
import { ask } from "../valkey/ask.js";
import type { Connection } from "../valkey/connection.js";
import { type MachineLocation, partitionKeys } from "../valkey/keys.js";

/** A machine as it is installed on the server. */
export interface InstalledMachine {
  readonly definition: CompiledMachine;
  /** Every state that has ever been installed, by its place in the index. */
  readonly ordinals: readonly string[];
}

/**
 * Reads an installed machine; null where none is. Every partition holds the same.
 *
 * @throws LayoutError where it can't be read: it was damaged, or another version wrote it.
 */
export async function readMachine(
  connection: Connection,
  location: MachineLocation,
): Promise<InstalledMachine | null> {
  const [definition, states] = await ask(connection, `machine ${location.machine}`, (client) =>
    client.hmget(partitionKeys(location, 0).machine, "definition", "states"),
  );
  if (definition == null || states == null) return null;
  return { definition: readDefinition(definition, location), ordinals: states.split(" ") };
}

function readDefinition(text: string, { machine }: MachineLocation): CompiledMachine {
  try {
    return parseCompiledMachine(text);
  } catch {
    throw new LayoutError(
      `the definition of ${machine} on the server can't be read; \`latchkey fsck -m ${machine}\` tells what is wrong with it`,
    );
  }
}

/**
 * Reads an installed machine that must be there.
 *
 * @throws ContractError with code NOMACHINE when it is not: the server lost its data, for instance.
 */
export async function needMachine(
  connection: Connection,
  location: MachineLocation,
  operation: string,
): Promise<InstalledMachine> {
  const installed = await readMachine(connection, location);
  if (installed !== null) return installed;
  throw new ContractError(
    "NOMACHINE",
    `${operation} ${location.machine}: no such machine is installed in this namespace; apply it first`,
  );
}
