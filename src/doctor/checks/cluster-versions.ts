import { readServerTime } from "../../valkey/server-clock.js";
import { type CheckResult, type Outcome, ok, warn } from "../check-result.js";
import { type DoctorContext, pairs } from "../context.js";
import { query } from "../query.js";
import { readIdentity } from "../server-identity.js";

const NOTABLE_MS = 1_000;

/** The version of a node, and its clock in relation to the local one, in ms. */
export interface NodeFacts {
  readonly version: string;
  readonly skewMs: number;
  readonly errorMs: number;
}

/** Checks that all nodes of a cluster that reply have the same version, and the same time. */
export async function clusterVersions(context: DoctorContext): Promise<CheckResult[]> {
  if (!context.connection.isCluster) return [];
  const facts = await Promise.allSettled((await context.nodes()).map((node) => factsOf(node, context.now)));
  const nodes = new Map(facts.flatMap((one) => (one.status === "fulfilled" ? [one.value] : [])));
  const [lost] = facts.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  if (nodes.size === 0 && lost !== undefined) throw lost;
  return [
    { id: "cluster/versions", ...judgeVersions(nodes) },
    { id: "cluster/clocks", ...judgeClocks(nodes) },
  ];
}

async function factsOf(
  { name, connection: { client } }: DoctorContext,
  now: () => number,
): Promise<readonly [name: string, facts: NodeFacts]> {
  const hello = pairs(await query("hello", () => client.call("HELLO")));
  const { nowMs, errorMs } = await query("time", () => readServerTime(client));
  return [name, { version: readIdentity(hello, undefined).versionText, skewMs: nowMs - now(), errorMs }];
}

/** Returns the result for the versions of the nodes. */
export function judgeVersions(nodes: ReadonlyMap<string, NodeFacts>): Outcome {
  const [only = "", ...others] = new Set([...nodes.values()].map(({ version }) => version));
  if (others.length === 0) return ok(`all nodes have ${only}`, "a failover does not change the version");
  const parts = [only, ...others].map((version) => {
    const names = [...nodes].filter(([, node]) => node.version === version).map(([name]) => name);
    return `${version} on ${names.join(", ")}`;
  });
  const meaning = "a failover may change the version on which the scripts run";
  return warn(parts.join("; "), meaning, "upgrade the older nodes");
}

/** Returns the result for the clocks of the nodes. */
export function judgeClocks(nodes: ReadonlyMap<string, NodeFacts>): Outcome {
  const order = [...nodes].sort(([, a], [, b]) => a.skewMs - b.skewMs);
  const [slowest, fastest] = [order[0], order.at(-1)];
  const spreadMs = Math.round((fastest?.[1].skewMs ?? 0) - (slowest?.[1].skewMs ?? 0));
  const errorMs = 2 * Math.max(0, ...order.map(([, node]) => node.errorMs));
  if (spreadMs < NOTABLE_MS + errorMs)
    return ok(
      spreadMs <= errorMs ? `equal within ${errorMs} ms` : `${spreadMs} ms apart`,
      "a failover does not shift timers",
    );
  const meaning = "after a failover, timers and leases end early or late by this difference";
  const status = `${spreadMs} ms apart: ${slowest?.[0]} is behind ${fastest?.[0]}`;
  return warn(status, meaning, "timedatectl set-ntp true, on the hosts of all nodes");
}
