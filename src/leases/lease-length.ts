import { ContractError } from "../errors/latchkey-error.js";
import { parseCompiledMachine } from "../machine/compile.js";
import { ask } from "../valkey/ask.js";
import { partitionKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { partitionOf } from "../valkey/partition.js";

/** How long the lease of a state is, by one version of the machine. */
export interface LeaseLength {
  readonly version: string;
  /** Undefined where that version gives the state no lease. */
  readonly ms: number | undefined;
}

/**
 * Reads how long a lease is by the machine as it is now where the entity lives: a newer version reaches one partition
 * after the other.
 *
 * @param known what was read before, which is returned where the version is still that
 * @throws ContractError with code NOMACHINE when the machine is gone, NotExecutedError when there was no answer.
 */
export async function leaseLength(
  { connection, location }: MachineStore,
  id: string,
  state: string,
  known?: LeaseLength,
  timeoutMs = connection.timeoutMs,
): Promise<LeaseLength> {
  const { machine } = partitionKeys(location, partitionOf(id, location.partitions));
  return ask(
    connection,
    `the lease of ${location.machine} ${id}`,
    async (client) => {
      const version = await client.hget(machine, "version");
      if (version !== null && version === known?.version) return known;
      const text = await client.hget(machine, "definition");
      if (text === null) {
        const message = `hold ${location.machine}: the machine is not installed in this namespace; apply it first`;
        throw new ContractError("NOMACHINE", message);
      }
      const { version: present, states } = parseCompiledMachine(text);
      const lease = Object.hasOwn(states, state) ? states[state]?.lease : undefined;
      return { version: String(present), ms: lease?.for };
    },
    timeoutMs,
  );
}
