import { isIP } from "node:net";
import type { RedisOptions, Valkey } from "iovalkey";
import { hostText } from "./address.js";
import { type NodeAddress, readSlots } from "./cluster/slots.js";

/** A replica is not read if it has not heard from its primary for this long. By default a primary sends a PING every 10 s. */
const LONGEST_SILENCE_S = 15;

/**
 * Returns the settings by which the replicas of a server are reached, in random order. Sentinels choose one themselves.
 *
 * @throws the client's error if the server cannot be asked
 */
export async function replicaPlaces(primary: Valkey): Promise<Partial<RedisOptions>[]> {
  if (primary.options.sentinels != null) return [{ role: "slave" }];
  const info = await primary.info();
  // A node of a cluster answers reads of its primary's slots only after READONLY.
  const readOnly = infoField(info, "cluster_enabled") === "1";
  const addresses = readOnly ? await replicasOfNode(primary) : replicasIn(info);
  return addresses
    .map((address) => ({ ...placeOf(primary, address), readOnly }))
    .sort(() => Math.random() - 0.5);
}

function replicasIn(info: string): NodeAddress[] {
  const lines = info.matchAll(/^slave\d+:ip=([^,]+),port=(\d+),state=online/gm);
  return [...lines].map(([, host = "", port]) => ({ host, port: Number(port) }));
}

/** Returns the addresses that the cluster announces, which clients outside of its network may need. */
async function replicasOfNode(primary: Valkey): Promise<readonly NodeAddress[]> {
  const { host = "localhost", port = 6379 } = primary.options;
  const { replicas } = readSlots(await primary.call("CLUSTER", "SLOTS"), primary);
  return replicas.get(hostText(host, port)) ?? [];
}

/** Returns the settings by which a client of one node reaches another node. */
export function placeOf({ options }: Valkey, { host, port }: NodeAddress): Partial<RedisOptions> {
  const { tls, host: own } = options;
  const address = { host, port, path: "" };
  if (tls == null || tls.servername !== own) return address;
  // The certificate is checked against the replica's own name.
  const { servername: _, ...rest } = tls;
  return { ...address, tls: isIP(host) === 0 ? { ...rest, servername: host } : rest };
}

/** The server cannot replace its primary for reads. Callers search for another one. */
class UnusableReplicaError extends Error {
  override readonly name = "UnusableReplicaError";
}

/** @throws UnusableReplicaError if a server is not a replica that hears from its primary */
export async function checkReplica(client: Valkey): Promise<void> {
  const info = await client.info("replication");
  if (infoField(info, "role") !== "slave") throw new UnusableReplicaError("it is not a replica");
  const isLinked = infoField(info, "master_link_status") === "up";
  const silence = isLinked ? "master_last_io_seconds_ago" : "master_link_down_since_seconds";
  const seconds = Number(infoField(info, silence));
  // -1: it has never been linked.
  if (!(seconds >= 0 && seconds <= LONGEST_SILENCE_S))
    throw new UnusableReplicaError(
      `it has not heard from its primary for ${seconds < 0 ? "ever" : `${seconds} s`}`,
    );
}

function infoField(info: string, name: string): string | undefined {
  return new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1];
}
