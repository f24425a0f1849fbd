import type { Valkey } from "iovalkey";
import { hostText } from "../valkey/address.js";
import { type NodeAddress, reachable } from "../valkey/cluster/slots.js";

/** A slot that is marked as moving. */
export interface SlotMove {
  readonly slot: number;
  /** `to`: its owner gives it to another node; `from`: the node receives it. */
  readonly direction: "to" | "from";
  /** ID of the other node. */
  readonly other: string;
}

/** Describes one node of a cluster, as a node reports it. */
export interface NodeReport {
  readonly id: string;
  /** `host:port`; its ID if it has no address. */
  readonly name: string;
  readonly address: NodeAddress | undefined;
  /** Words such as `myself`, `master`, `slave`, `fail`, `fail?`, `handshake`, `noaddr`. */
  readonly flags: ReadonlySet<string>;
  /** ID of the primary that it replicates; undefined for a primary. */
  readonly primary: string | undefined;
  /** Number of slots that it holds. */
  readonly slots: number;
  /** Only the node itself reports its moving slots. */
  readonly moves: readonly SlotMove[];
}

/**
 * Reads a reply of CLUSTER NODES, which, unlike CLUSTER SLOTS, contains failed nodes and moving slots.
 *
 * @param known names of nodes in CLUSTER SLOTS, which contains the host name or the IP, as the cluster is set up
 */
export function readNodes(text: string, { options }: Valkey, known: ReadonlySet<string>): NodeReport[] {
  const natMap = typeof options.natMap === "object" ? options.natMap : undefined;
  const addressOf = (field: string, isSelf: boolean): NodeAddress | undefined => {
    const [, ip = "", port, hostname = ""] = /^(.*):(\d+)(?:@\d+)?(?:,([^,=]*))?/.exec(field) ?? [];
    if (!(Number(port) > 0)) return undefined;
    // A node that has heard from no other one does not know its own IP.
    const hosts = [ip || (isSelf ? (options.host ?? "localhost") : ""), hostname].filter(
      (host) => host !== "",
    );
    const addresses = hosts.map((host) => reachable(host, Number(port), natMap));
    return addresses.find((one) => known.has(nameOf(one))) ?? addresses[0];
  };
  const rows = text.split("\n").filter((line) => line !== "");
  return rows.map((line) => {
    const [id = "", place = "", words = "", primary = "-", , , , , ...ranges] = line.trim().split(" ");
    const flags = new Set(words.split(","));
    const address = flags.has("noaddr") ? undefined : addressOf(place, flags.has("myself"));
    return {
      ...{ id, address, flags, name: address === undefined ? id : nameOf(address) },
      primary: primary === "-" ? undefined : primary,
      slots: ranges.reduce((sum, range) => sum + sizeOf(range), 0),
      moves: ranges.flatMap(moveIn),
    };
  });
}

function nameOf({ host, port }: NodeAddress): string {
  return hostText(host, port);
}

function sizeOf(range: string): number {
  const [, first, last = first] = /^(\d+)(?:-(\d+))?$/.exec(range) ?? [];
  return first === undefined ? 0 : Number(last) - Number(first) + 1;
}

function moveIn(range: string): SlotMove[] {
  const [, slot, arrow, other = ""] = /^\[(\d+)-([<>])-(\w+)\]$/.exec(range) ?? [];
  return slot === undefined ? [] : [{ slot: Number(slot), direction: arrow === ">" ? "to" : "from", other }];
}
