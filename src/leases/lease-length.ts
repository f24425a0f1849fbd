import { parseCompiledMachine } from "../machine/compile.js";
import { stateOf } from "../machine/compiled.js";
import { notInstalled } from "../reads/installed-machine.js";
import { ask } from "../valkey/ask.js";
import { partitionKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { partitionOf } from "../valkey/partition.js";

/** Length of a state's lease in one version of the machine. */
export interface LeaseLength {
  readonly version: string;
  /** Undefined if the state has no lease in this version. */
  readonly ms: number | undefined;
}

/**
 * Reads the length of a lease from the entity's own partition, because a new version reaches the partitions one by one.
 *
 * @param known the length that was read before; returned if the version is unchanged
 * @throws ContractError with code NOMACHINE if the machine is not installed, NotExecutedError if the server did not reply
 */
export async function readLeaseLength(
  { connection, location, recover }: MachineStore,
  id: string,
  state: string,
  known?: LeaseLength,
  timeoutMs = connection.timeoutMs,
): Promise<LeaseLength> {
  const { machine } = partitionKeys(location, partitionOf(id, location.partitions));
  return ask(
    connection.of(machine),
    `the lease of ${location.machine} ${id}`,
    async (client) => {
      const version = await client.hget(machine, "version");
      if (version !== null && version === known?.version) return known;
      const text = await client.hget(machine, "definition");
      if (text === null) throw notInstalled("hold", location);
      const definition = parseCompiledMachine(text);
      return { version: String(definition.version), ms: stateOf(definition, state)?.lease?.for };
    },
    { timeoutMs, recover },
  );
}
