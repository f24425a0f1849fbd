import { checkName } from "../contract/arguments.js";
import { MACHINE_NAME } from "../machine/names.js";
import { Deadline } from "../valkey/deadline.js";
import { openConnection } from "../valkey/open-connection.js";

/** Number of keys that the server looks at in one step. */
const STEP = 1000;

/**
 * Removes all keys of a namespace, in small steps that do not block the server. Scripts stay, because all namespaces share
 * them. Call it after the clients of the namespace are closed.
 *
 * @param url URL of the server, or of a cluster, whose slots must not move meanwhile
 * @throws ConnectError if the server cannot be reached; ContractError if the name is invalid
 */
export async function dropNamespace(url: string, namespace: string): Promise<void> {
  checkName({ ...MACHINE_NAME, kind: "namespace" }, namespace);
  const connection = await openConnection({ url, namespace });
  try {
    for (const { client } of await connection.readyServers(Deadline.in(connection.timeoutMs))) {
      let cursor = "0";
      do {
        // The keys begin with {namespace} or {namespace:partition}.
        const [next, keys] = await client.scan(cursor, "MATCH", `{${namespace}[}:]*`, "COUNT", STEP);
        // In a cluster, one command must not name keys of two slots.
        await Promise.all(keys.map((key) => client.unlink(key)));
        cursor = next;
      } while (cursor !== "0");
    }
  } finally {
    await connection.close();
  }
}
