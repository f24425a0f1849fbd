import type { Valkey } from "iovalkey";
import { checkId } from "../contract/arguments.js";
import { readDocument, type Snapshot } from "../contract/document.js";
import type { Fields } from "../contract/own-fields.js";
import { readReply } from "../contract/reply.js";
import { scripts } from "../lua/index.js";
import { ask, contractError, limited, type ReadOptions } from "../valkey/ask.js";
import { entityKeys, partitionKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { partitionOf } from "../valkey/partition.js";
import { runScript } from "../valkey/script.js";

/** Reads one entity; null if it does not exist. */
export async function get<S extends string, F extends object = Fields>(
  store: MachineStore,
  id: string,
  options: ReadOptions = {},
): Promise<Snapshot<S, F> | null> {
  const limits = limited(store, options);
  const { connection, location, deadline } = limits;
  const keys = entityKeys(location, checkId("id", id, 128));
  const name = `get ${location.machine} ${id}`;
  const question = (client: Valkey): Promise<unknown> =>
    connection.inFlight
      .run(deadline, () => runScript(client, scripts.get, keys, [id]))
      .catch((error: unknown) => {
        throw contractError(error, name) ?? error;
      });
  const reply = await ask(connection, name, question, limits);
  const { text } = readReply(reply);
  return text === null ? null : readDocument<Snapshot<S, F>>(text);
}

/** Returns a position of the event log of an entity's partition that was not after its end. */
export async function position(store: MachineStore, id: string, options: ReadOptions = {}): Promise<string> {
  const limits = limited(store, options);
  const { connection, location } = store;
  const { events } = partitionKeys(location, partitionOf(checkId("id", id, 128), location.partitions));
  const question = (): Promise<string> => connection.positions.know(events);
  return ask(connection, `position of ${location.machine}`, question, limits);
}
