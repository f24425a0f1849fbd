/** Number of slots of a cluster. */
export const SLOTS = 16_384;

/** Describes a node as another node, or it itself, reports it. */
export interface NodeReport {
  readonly id: string;
  /** The port that it announces to clients. */
  readonly port: number;
  /** Words such as `myself`, `master`, `slave`, `fail?`, `fail`, `handshake`. */
  readonly flags: ReadonlySet<string>;
  /** ID of the primary that it follows, or undefined for a primary. */
  readonly primary: string | undefined;
  readonly isLinked: boolean;
  /** Ranges of slots, both ends included. */
  readonly slots: readonly (readonly [first: number, last: number])[];
}

/** Holds the cluster as one node sees it. */
export class ClusterView {
  readonly nodes: readonly NodeReport[];

  /** @param text a reply of CLUSTER NODES */
  constructor(text: string) {
    this.nodes = text.trim().split("\n").map(parse);
  }

  /** Returns the node whose view this is. */
  get own(): NodeReport {
    const own = this.nodes.find(({ flags }) => flags.has("myself"));
    if (own === undefined) throw new Error("A view of a cluster lacks the node that it came from");
    return own;
  }

  /** Returns the report of a node. @throws Error if the view lacks it */
  of(id: string): NodeReport {
    const report = this.nodes.find((node) => node.id === id);
    if (report === undefined) throw new Error(`${this.own.id} does not know the node ${id}`);
    return report;
  }

  /** Returns the ID of the owner of a slot, or undefined if the slot has none. */
  ownerOf(slot: number): string | undefined {
    return this.nodes.find(({ slots }) => slots.some(([first, last]) => first <= slot && slot <= last))?.id;
  }

  /** Describes who is a primary of which slots, and who follows whom. Nodes agree if these texts are equal. */
  get shape(): string {
    const lines = this.nodes.map(({ id, primary, slots }) => `${id} ${primary ?? "-"} ${slots.join(" ")}`);
    return lines.sort().join("\n");
  }

  /** True if each of `count` nodes is linked, and none is failing or unknown. */
  isComplete(count: number): boolean {
    const isWell = ({ flags, isLinked }: NodeReport): boolean =>
      isLinked && !TROUBLE.some((word) => flags.has(word));
    return this.nodes.length === count && this.nodes.every(isWell);
  }
}

const TROUBLE = ["fail", "fail?", "handshake", "noaddr"];

/** Parses a line of CLUSTER NODES: ID, address, flags, primary, ping, pong, epoch, link, slots. */
function parse(line: string): NodeReport {
  const [id = "", address = "", flags = "", primary = "", , , , link = "", ...slots] = line.split(" ");
  const port = Number(/:(\d+)@/.exec(address)?.[1]);
  const ranges = slots
    .filter((range) => !range.startsWith("["))
    .map((range): readonly [number, number] => {
      const [first = "", last = first] = range.split("-");
      return [Number(first), Number(last)];
    });
  return {
    ...{ id, port, flags: new Set(flags.split(",")), slots: ranges },
    primary: primary === "-" ? undefined : primary,
    isLinked: link === "connected",
  };
}
