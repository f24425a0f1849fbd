import type { Servers, ServersOptions } from "./servers.js";
import { startStandalone } from "./standalone.js";

/** Starts the servers of a run, and waits until they serve. */
export async function startServers(options: ServersOptions): Promise<Servers> {
  if (options.topology === "standalone") return startStandalone(options);
  throw new Error(`No servers for the topology ${options.topology}`);
}
