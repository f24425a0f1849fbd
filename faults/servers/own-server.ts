import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DataNode, type NodeOptions } from "./node.js";
import { freePort } from "./ports.js";
import type { Settings } from "./servers.js";

let count = 0;

/**
 * Runs `body` with a server of its own, for faults that the clients of the run must not be affected by.
 *
 * @param folder parent of the server's folder, which is removed at the end
 */
export async function withOwnServer<T>(
  folder: string,
  settings: Settings,
  body: (node: DataNode) => Promise<T>,
  own: Pick<NodeOptions, "dataDir" | "user"> = {},
): Promise<T> {
  count += 1;
  const name = `own-server-${process.pid}-${count}`;
  const node = await DataNode.start({ name, port: await freePort(), folder, settings, ...own });
  try {
    return await body(node);
  } finally {
    await node.close();
    await rm(join(folder, name), { recursive: true, force: true, maxRetries: 3 });
  }
}
