import type { Valkey } from "iovalkey";
import { pairsOf } from "../../contract/flat-reply.js";
import { Deadline } from "../deadline.js";
import { replyCode, safeMessage } from "../failure.js";
import type { Logger } from "../logger.js";
import { infoAtConnect } from "../real-time-client.js";
import { readSlots, type SlotMap } from "./slots.js";

/** Longest time to wait for a node's map of slots, in ms. */
const LONGEST_QUESTION_MS = 1_000;

/** Describes a cluster as one node reports it. */
export interface View {
  readonly map: SlotMap;
  /** True if the node can serve requests: all slots are covered, and most primaries are reachable. */
  readonly isOk: boolean;
  /** Grows with each failover and each slot that was moved, as far as the node has heard. */
  readonly epoch: number;
}

/**
 * Reads the slot map of a cluster from one of its nodes, with the addresses of the client's option natMap.
 *
 * @throws the client's error, unchanged; `ERR This instance has cluster support disabled` for a single server
 */
export async function readView(client: Valkey): Promise<View> {
  const [info, slots] = await Promise.all([
    (client.call("CLUSTER", "INFO") as Promise<string>).catch((error: unknown) => {
      if (replyCode(error) === "NOPERM") return ""; // then the views cannot be compared
      throw error;
    }),
    client.call("CLUSTER", "SLOTS"),
  ]);
  const fact = (name: string): string => new RegExp(`^${name}:(\\S+)`, "m").exec(info)?.[1] ?? "";
  return {
    map: readSlots(slots, client),
    isOk: fact("cluster_state") !== "fail",
    epoch: Number(fact("cluster_current_epoch")),
  };
}

/** Reads the map of slots without a connected node. */
export interface MapSource {
  /** Asks the nodes of the URL, with connections of their own. @throws ConnectError if none replies */
  askSeeds(): Promise<View>;
  /** Ends the questions that are under way. */
  close(): void;
}

/** Reads the map of slots from all nodes that are connected, from those of the URL if none replies; undefined if nobody does. */
export async function readMap(
  source: MapSource,
  clients: readonly Valkey[],
  logger: Logger,
): Promise<SlotMap | undefined> {
  const deadline = Deadline.in(LONGEST_QUESTION_MS);
  const replies = clients.map((client) => deadline.race(readView(client)).catch(() => []));
  // A node that has left the cluster knows no primaries.
  const views = (await Promise.all(replies)).flat().filter(({ map }) => map.primaries.size > 0);
  const best = bestOf(views);
  if (best !== undefined) return best.map;
  try {
    return (await source.askSeeds()).map;
  } catch (error) {
    logger.debug({ error: safeMessage(error) }, "no node of the cluster replies");
    return undefined;
  }
}

/** Returns the best of several views: of a node that can serve requests if there is one, with the newest epoch. */
function bestOf(views: readonly View[]): View | undefined {
  const [best] = [...views].sort((a, b) => Number(b.isOk) - Number(a.isOk) || b.epoch - a.epoch);
  return best;
}

/** Returns whether a server is a node of a cluster, as INFO said, else HELLO, which needs no permission. */
export async function isNode(client: Valkey): Promise<boolean> {
  const enabled = infoAtConnect(client, "cluster_enabled");
  if (enabled !== undefined) return enabled === "1";
  const hello = await client.call("HELLO").catch((error: unknown) => {
    if (replyCode(error) === "ERR") return []; // a server without HELLO
    throw error;
  });
  return Array.isArray(hello) && new Map(pairsOf(hello)).get("mode") === "cluster";
}
