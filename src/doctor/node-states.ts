import type { NodeReport } from "./node-report.js";

/** All nodes of a cluster, as one of them reports them. */
export interface Reports {
  /** The reporting node, `host:port`. */
  readonly from: string;
  readonly nodes: readonly NodeReport[];
}

/** A node that some nodes report as not working. */
export interface Trouble {
  /** The worst flag: `fail` if most primaries agree, `fail?` if not, `handshake` or `noaddr` if it has never replied. */
  readonly flag: string;
  /** Names of the nodes that report it. */
  readonly reporters: readonly string[];
}

/** Describes one node of a cluster, by the reports of all nodes that reply. */
export interface NodeState extends NodeReport {
  /** Undefined if no node reports trouble. */
  readonly trouble: Trouble | undefined;
}

const FLAGS = ["fail", "fail?", "handshake", "noaddr"];

/** Combines the reports of several nodes. */
export function combineReports(all: readonly Reports[]): NodeState[] {
  const byId = new Map<string, { report: NodeReport; readonly flags: { from: string; flag: string }[] }>();
  for (const { from, nodes } of all) {
    for (const report of nodes) {
      const known = byId.get(report.id) ?? { report, flags: [] };
      // A node knows itself best.
      if (report.flags.has("myself")) known.report = report;
      const flag = FLAGS.find((word) => report.flags.has(word));
      if (flag !== undefined) known.flags.push({ from, flag });
      byId.set(report.id, known);
    }
  }
  return [...byId.values()].map(({ report, flags }) => {
    const flag = FLAGS.find((word) => flags.some((one) => one.flag === word));
    const reporters = flags.filter((one) => one.flag === flag).map(({ from }) => from);
    return { ...report, trouble: flag === undefined ? undefined : { flag, reporters } };
  });
}

/** Returns true for a node that most primaries report as failed. */
export function isDead({ trouble }: NodeState): boolean {
  return trouble?.flag === "fail";
}
