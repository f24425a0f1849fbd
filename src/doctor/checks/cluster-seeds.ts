import { hostText } from "../../valkey/address.js";
import { parseAddress } from "../../valkey/server-url.js";
import { type CheckResult, fail, type Outcome, ok, warn } from "../check-result.js";
import type { DoctorContext } from "../context.js";
import { reach, reasonText } from "../members.js";
import { readNodes } from "../node-report.js";
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
      const id = await ownId(node);
      if (id === undefined) return [foreign(`${name} is not a node of a cluster`, first?.from)];
      return ids.has(id) ? [] : [foreign(`${name} belongs to another cluster`, first?.from)];
    }),
  );
  const bad = outcomes.flat();
  const all =
    bad.length > 0 ? bad : [ok("all nodes of the URL belong to the cluster", "any of them may reply first")];
  return all.map((outcome) => ({ id: "cluster/seeds", ...outcome }));
}

/** Returns the ID of a node; undefined for a server that is not a node of a cluster. */
async function ownId({ connection: { client } }: DoctorContext): Promise<string | undefined> {
  try {
    const text = await query("cluster|nodes", () => client.call("CLUSTER", "NODES"));
    return readNodes(String(text), client, new Set()).find(({ flags }) => flags.has("myself"))?.id;
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

function absent(name: string, reason: string): Outcome {
  return warn(
    `${name} does not reply: ${reason}`,
    "no node of the cluster has this address; a client that starts cannot use it",
    "remove it from the URL, or start it",
  );
}
