import { hostText } from "../../valkey/address.js";
import type { NodeAddress } from "../../valkey/cluster/slots.js";
import { parseAddress } from "../../valkey/server-url.js";
import { type CheckResult, fail, type Outcome, ok, warn } from "../check-result.js";
import type { DoctorContext } from "../context.js";
import { reach, reasonText } from "../members.js";
import { type NodeReport, readNodes } from "../node-report.js";
import { CheckDeniedError, query } from "../query.js";

/** Checks that all nodes in the URL belong to one cluster. A client asks only the first one that replies. */
export async function clusterSeeds(context: DoctorContext): Promise<CheckResult[]> {
  const { cluster: seeds = [] } = context.connection.isCluster
    ? parseAddress(context.connection.address)
    : {};
  if (seeds.length === 0) return [];
  const reports = await context.reports();
  const ids = new Set(reports.flatMap(({ nodes }) => nodes.map(({ id }) => id)));
  const members = await context.members();
  const [first] = reports;
  const outcomes = await Promise.all(
    seeds.map(async (seed) => {
      const name = hostText(seed.host, seed.port);
      const member = members.find((one) => one.name === name);
      const { context: node, error } = member ?? (await reach(context, seed));
      // The check of the nodes reports a member that does not reply.
      if (node === undefined)
        return member !== undefined || error === undefined ? [] : [absent(name, reasonText(error))];
      const nodes = await nodesOf(node);
      if (nodes === undefined) return [foreign(`${name} is not a node of a cluster`, first?.from)];
      if (nodes.some(({ id, flags }) => flags.has("myself") && ids.has(id))) return [];
      const isFormer = nodes.some(({ id }) => ids.has(id));
      if (isFormer) return [former(name, seed, first?.from)];
      return [foreign(`${name} belongs to another cluster`, first?.from)];
    }),
  );
  const bad = outcomes.flat();
  const all =
    bad.length > 0 ? bad : [ok("all nodes of the URL belong to the cluster", "any of them may reply first")];
  return all.map((outcome) => ({ id: "cluster/seeds", ...outcome }));
}

/** Returns the nodes that a node knows; undefined for a server that is not a node of a cluster. */
async function nodesOf({
  connection: { client },
}: DoctorContext): Promise<readonly NodeReport[] | undefined> {
  try {
    const text = await query("cluster|nodes", () => client.call("CLUSTER", "NODES"));
    return readNodes(String(text), client, new Set());
  } catch (error) {
    const isSingle = error instanceof Error && error.message.includes("cluster support disabled");
    if (error instanceof CheckDeniedError || !isSingle) throw error;
    return undefined;
  }
}

function foreign(what: string, other = ""): Outcome {
  return fail(
    `${what}, unlike ${other}`,
    "a client uses the first node of its URL that replies, so programs can work with different data",
    "name only nodes of one cluster in the URL",
  );
}

function former(name: string, { host, port }: NodeAddress, other = ""): Outcome {
  return fail(
    `${name} knows the nodes of the cluster, and they do not know it`,
    "after CLUSTER FORGET, a node that returns is not a member: it hears of no failover, so programs that ask it first can work with an outdated map",
    `CLUSTER MEET ${host} ${port} at ${other}, a minute or more after CLUSTER FORGET; or remove it from the URL, and run CLUSTER RESET at it`,
  );
}

function absent(name: string, reason: string): Outcome {
  return warn(
    `${name} does not reply: ${reason}`,
    "no node of the cluster has this address; a client that starts cannot use it",
    "remove it from the URL, or start it",
  );
}
