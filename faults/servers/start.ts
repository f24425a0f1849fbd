import { SentinelServers } from "./sentinel.js";
import type { Servers, ServersOptions } from "./servers.js";
import { startStandalone } from "./standalone.js";

/** Starts the servers of a run, and waits until they serve. */
export async function startServers(options: ServersOptions): Promise<Servers> {
  return options.topology === "standalone" ? startStandalone(options) : SentinelServers.start(options);
}
