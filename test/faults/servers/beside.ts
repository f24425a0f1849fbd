import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DataNode } from "./node.js";
import { freePort } from "./ports.js";
import type { Settings } from "./servers.js";

let count = 0;

/**
 * A server of a fault's own, beside those of the run, for what the others must not suffer. It ends with `body`.
 *
 * @param folder where a folder of its own is made, and removed
 */
export async function beside<T>(
  folder: string,
  settings: Settings,
  body: (node: DataNode) => Promise<T>,
  dataDir?: string,
): Promise<T> {
  count += 1;
  const name = `beside-${process.pid}-${count}`;
  const at = { name, port: await freePort(), folder, settings };
  const node = await DataNode.start(dataDir === undefined ? at : { ...at, dataDir });
  try {
    return await body(node);
  } finally {
    await node.close();
    await rm(join(folder, name), { recursive: true, force: true, maxRetries: 3 });
  }
}
