import type { Valkey } from "iovalkey";
import { pairsOf } from "../../contract/flat-reply.js";
import { hostText } from "../address.js";
import { UNKNOWN_HOST } from "../failure.js";
import { crc16 } from "../partition.js";

/** Number of slots of every cluster. */
export const SLOTS = 16_384;

/** Host and port of a node. */
export interface NodeAddress {
  readonly host: string;
  readonly port: number;
}

/** Addresses to use instead of those that the nodes name, by `host:port`. */
export type NatMap = Readonly<Record<string, NodeAddress>>;

/** The servers of a cluster, as one node sees them. */
export interface SlotMap {
  /** Name of the primary of each slot; undefined for a slot that no node holds. */
  readonly owners: readonly (string | undefined)[];
  /** Addresses of the primaries that hold slots, by name, which is `host:port`. */
  readonly primaries: ReadonlyMap<string, NodeAddress>;
  /** Addresses of the replicas of each primary, by its name. */
  readonly replicas: ReadonlyMap<string, readonly NodeAddress[]>;
}

/**
 * Returns the slot of a key: CRC16 of its hash tag, modulo 16384. The hash tag is what stands between the first `{` and the
 * next `}`; without one, or if it is empty, it is the whole key (Valkey's cluster specification, "Hash tags").
 *
 * @example slotOf("{latchkey:7}:agent:events") === slotOf("{latchkey:7}:machines"); // true
 */
export function slotOf(key: string): number {
  const tag = /^[^{]*\{([^}]+)\}/.exec(key)?.[1] ?? key;
  return crc16(Buffer.from(tag)) % SLOTS;
}

/** Returns the address to use for a node: that of the map, if it has one. */
export function reachable(host: string, port: number, natMap: NatMap | undefined): NodeAddress {
  return natMap?.[hostText(host, port)] ?? { host, port };
}

/** A node in the reply to CLUSTER SLOTS. The facts, names and values in turn, hold its other addresses. */
type NodeReply = readonly [host: string | null, port: number, id: string, facts?: readonly string[]];

/** An element of the reply to CLUSTER SLOTS: first slot, last slot, the primary, its replicas. */
type Range = readonly [first: number, last: number, ...nodes: NodeReply[]];

/**
 * Reads the reply to CLUSTER SLOTS.
 *
 * @param client client of the node that replied, whose option natMap replaces addresses
 */
export function readSlots(reply: unknown, { options }: Valkey): SlotMap {
  const natMap = typeof options.natMap === "object" ? options.natMap : undefined;
  const owners = new Array<string | undefined>(SLOTS).fill(undefined);
  const primaries = new Map<string, NodeAddress>();
  const replicas = new Map<string, readonly NodeAddress[]>();
  for (const [first, last, ...nodes] of reply as readonly Range[]) {
    const [primary, ...others] = nodes.map((node) => addressOf(node, options.host, natMap));
    if (primary === undefined) continue;
    const name = hostText(primary.host, primary.port);
    primaries.set(name, primary);
    replicas.set(
      name,
      others.filter((one) => one !== undefined),
    );
    owners.fill(name, first, last + 1);
  }
  return { owners, primaries, replicas };
}

/** Returns the address of a node; undefined if the reply has none. A node that does not know its own replies without a host. */
function addressOf(
  [host, port, , facts = []]: NodeReply,
  origin = "localhost",
  natMap: NatMap | undefined,
): NodeAddress | undefined {
  const known = host === UNKNOWN_HOST ? new Map(pairsOf(facts)).get("ip") : host || origin;
  return known === undefined || known === "" ? undefined : reachable(known, port, natMap);
}
