import { refuse } from "../../contract/arguments.js";
import type { CompiledMachine } from "../../machine/compiled.js";
import type { Connection } from "../../valkey/connection.js";
import { callDefaults } from "../../valkey/connection-checks.js";
import { silentLogger } from "../../valkey/logger.js";
import type { MachineStore } from "../../valkey/machine-store.js";

/** What code that checks arguments may read of a connection. */
const known: Partial<Connection> = {
  ...callDefaults({}),
  address: "fakeEntities",
  logger: silentLogger,
  isClosed: false,
  isReady: true,
  beforeClose: () => () => {},
};

/** A connection to no server. Using it throws ContractError. */
const connection = new Proxy(known, {
  get: (target, name) =>
    name in target
      ? Reflect.get(target, name)
      : refuse(`fakeEntities has no server; test this with startValkey (${String(name)})`),
}) as Connection;

/** Makes the store of entities in memory, for the checks of arguments. */
export function memoryStore(definition: CompiledMachine): MachineStore {
  return { connection, definition, location: { namespace: "fake", partitions: 1, machine: definition.name } };
}
