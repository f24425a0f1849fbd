import type { Valkey } from "iovalkey";
import { checkId } from "../contract/arguments.js";
import { readDocument, type Snapshot } from "../contract/document.js";
import type { Fields } from "../contract/own-fields.js";
import { readReply } from "../contract/reply.js";
import { scripts } from "../lua/index.js";
import { ask, contractError, type EntityReadOptions, limited, type ReadOptions } from "../valkey/ask.js";
import type { Server } from "../valkey/connection.js";
import { replyCode } from "../valkey/failure.js";
import { entityKeys, partitionKeys } from "../valkey/keys.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { partitionOf } from "../valkey/partition.js";
import { runScript } from "../valkey/script.js";
import { dueOf } from "./due.js";
import { getMany } from "./get-many.js";

/** Reads one entity; null if it does not exist. */
export async function get<S extends string, F extends object = Fields>(
  store: MachineStore,
  id: string,
  options: EntityReadOptions = {},
): Promise<Snapshot<S, F> | null> {
  const limits = limited(store, options, ["reads"]);
  const { location, deadline } = limits;
  const keys = entityKeys(location, checkId("id", id, 128));
  const connection = limits.connection.of(keys[0] ?? "");
  const name = `get ${location.machine} ${id}`;
  const question = (client: Valkey, { inFlight }: Server): Promise<unknown> =>
    inFlight
      .run(deadline, () => runScript(client, scripts.get, keys, [id]))
      .catch((error: unknown) => {
        // While the slot moves, no script can run whose keys are at two nodes, but each key can be read.
        if (replyCode(error) === "TRYAGAIN") return undefined;
        throw contractError(error, name) ?? error;
      });
  const reply = await ask(connection, name, question, limits);
  if (reply === undefined)
    return (await getMany<S, F>(limits, [id], name, dueOf(limits, [id], name)))[0] ?? null;
  const { text } = readReply(reply);
  // A replica may lack an entity: it is behind, or the entity's slot of the cluster is moving.
  if (text === null && options.reads === "replica")
    return get(store, id, { ...options, timeout: Math.max(1, deadline.remainingMs), reads: "primary" });
  return text === null ? null : readDocument<Snapshot<S, F>>(text);
}

/** Returns a position of the event log of an entity's partition that was not after its end. */
export async function position(store: MachineStore, id: string, options: ReadOptions = {}): Promise<string> {
  const limits = limited(store, options);
  const { connection, location } = store;
  const { events } = partitionKeys(location, partitionOf(checkId("id", id, 128), location.partitions));
  const question = (): Promise<string> => connection.positions.know(events);
  return ask(connection.of(events), `position of ${location.machine}`, question, limits);
}
