import type { Valkey } from "iovalkey";
import { ContractError } from "../errors/latchkey-error.js";
import { LayoutError } from "../errors/layout-error.js";
import { parseCompiledMachine } from "../machine/compile.js";
import type { CompiledMachine } from "../machine/compiled.js";
import { ask, type LimitedStore, type Limits } from "../valkey/ask.js";
import { askAny } from "../valkey/ask-any.js";
import type { Connection } from "../valkey/connection.js";
import { allPartitionKeys, type MachineLocation, machinesKey, partitionKeys } from "../valkey/keys.js";
import { installedMachines } from "../valkey/layout.js";

/** A machine that is installed on the server. */
export interface InstalledMachine {
  /** Its definition with all defaults. */
  readonly definition: CompiledMachine;
  /** All states that were ever installed, in the order of the index. */
  readonly ordinals: readonly string[];
}

/**
 * Reads an installed machine; null if it is not installed. All partitions hold the same: while the server of the first one is
 * unreachable, another one answers.
 *
 * @throws LayoutError if the definition is damaged, or another version of latchkey wrote it
 */
export async function readMachine(
  connection: Connection,
  location: MachineLocation,
  limits: Limits = {},
): Promise<InstalledMachine | null> {
  const keys = allPartitionKeys(location).map(({ machine }) => machine);
  const read = async (client: Valkey, key: string): Promise<InstalledMachine | undefined> =>
    (await readInstalled(client, location, keys.indexOf(key))) ?? undefined;
  return (await askAny(connection, keys, `machine ${location.machine}`, read, limits)) ?? null;
}

/** Reads a machine as one partition holds it; null if it is not installed there. @throws as {@link readMachine} */
export async function readMachineOf(
  partition: number,
  connection: Connection,
  location: MachineLocation,
): Promise<InstalledMachine | null> {
  const read = (client: Valkey) => readInstalled(client, location, partition);
  const { machine } = partitionKeys(location, partition);
  return ask(connection.of(machine), `machine ${location.machine}`, read);
}

/** Lists the names of the machines that are installed in a namespace, as {@link readMachine} reads one. */
export async function readMachineNames(
  connection: Connection,
  { namespace, partitions }: Omit<MachineLocation, "machine">,
  limits: Limits = {},
): Promise<string[]> {
  const keys = Array.from({ length: partitions }, (_, partition) => machinesKey(namespace, partition));
  const read = async (client: Valkey, key: string): Promise<string[] | undefined> => {
    const names = await installedMachines(client, namespace, keys.indexOf(key));
    return names.length === 0 ? undefined : names;
  };
  return (await askAny(connection, keys, "machines", read, limits)) ?? [];
}

async function readInstalled(
  client: Valkey,
  location: MachineLocation,
  partition: number,
): Promise<InstalledMachine | null> {
  const { machine } = partitionKeys(location, partition);
  const [definition, states] = await client.hmget(machine, "definition", "states");
  if (definition == null || states == null) return null;
  return { definition: parseInstalled(definition, location), ordinals: states.split(" ") };
}

/** The definitions that were parsed last, by the names of their machines. A list reads one for each page. */
const parsed = new Map<string, { readonly text: string; readonly definition: CompiledMachine }>();

/** Parses the definition that a server holds. @throws LayoutError if it is damaged */
export function parseInstalled(text: string, { machine }: MachineLocation): CompiledMachine {
  const before = parsed.get(machine);
  if (before?.text === text) return before.definition;
  try {
    const definition = parseCompiledMachine(text);
    parsed.set(machine, { text, definition });
    return definition;
  } catch {
    throw new LayoutError(
      `the definition of ${machine} on the server is unreadable; run \`latchkey fsck -m ${machine}\` for details`,
    );
  }
}

/**
 * Reads an installed machine, after its recovery if the server has lost it.
 *
 * @param operation the operation that needs it, for the error
 * @throws ContractError with code NOMACHINE if it is not installed, for example because the server lost its data
 */
export async function needMachine(
  store: Omit<LimitedStore, "definition">,
  operation: string,
): Promise<InstalledMachine> {
  const { connection, location } = store;
  const read = async (client: Valkey): Promise<InstalledMachine> => {
    const installed = await readInstalled(client, location, 0);
    if (installed === null) throw notInstalled(operation, location);
    return installed;
  };
  const { machine } = partitionKeys(location, 0);
  return ask(connection.of(machine), `${operation} ${location.machine}`, read, store);
}

/** Makes the error of an operation on a machine that is not installed. */
export function notInstalled(operation: string, { machine }: MachineLocation): ContractError {
  const message = `${operation} ${machine}: the machine is not installed in this namespace; apply it first`;
  return new ContractError("NOMACHINE", message);
}
