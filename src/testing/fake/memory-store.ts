import { refuse } from "../../contract/arguments.js";
import type { CompiledMachine } from "../../machine/compiled.js";
import type { Connection } from "../../valkey/connection.js";
import { callDefaults } from "../../valkey/connection-checks.js";
import type { DefaultActor } from "../../valkey/default-actor.js";
import { silentLogger } from "../../valkey/logger.js";
import type { MachineStore } from "../../valkey/machine-store.js";

/**
 * Makes the store of entities in memory, for the checks of arguments. Its connection has the defaults of calls, and throws
 * ContractError if anything else of it is used.
 *
 * @throws ContractError if the actor is invalid
 */
export function memoryStore(definition: CompiledMachine, actor: DefaultActor | undefined): MachineStore {
  const known: Partial<Connection> = {
    ...callDefaults(actor === undefined ? {} : { actor }),
    address: "fakeEntities",
    logger: silentLogger,
    isClosed: false,
    isReady: true,
    beforeClose: () => () => {},
  };
  const connection = new Proxy(known, {
    get: (target, name) =>
      name in target
        ? Reflect.get(target, name)
        : refuse(`fakeEntities has no server; test this with startValkey (${String(name)})`),
  }) as Connection;
  return { connection, definition, location: { namespace: "fake", partitions: 1, machine: definition.name } };
}
