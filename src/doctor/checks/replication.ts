import { fail, info, type Outcome, ok, warn } from "../check-result.js";
import type { DoctorContext } from "../context.js";
import { unlessDenied } from "../query.js";

/** Checks that the server is a primary. Needs no permission. */
export async function role(context: DoctorContext): Promise<Outcome> {
  const { role: status } = await context.identity();
  if (status === "master") return ok("primary", "it accepts changes");
  const fields = await context.info().catch(() => new Map<string, string>());
  const [host, port] = [fields.get("master_host"), fields.get("master_port")];
  const url = host === undefined || port === undefined ? "" : `: --url valkey://${host}:${port}`;
  const meaning = "a replica rejects changes, and its data may be stale";
  return fail(status, meaning, `connect to its primary${url}`);
}

/** Checks the number of replicas, and that the primary requires one; on a replica, its link to the primary. */
export async function replicas(context: DoctorContext): Promise<Outcome> {
  if ((await context.identity()).role !== "master") {
    const link = (await context.info()).get("master_link_status") ?? "unknown";
    const status = `link to the primary is ${link}`;
    if (link === "up") return ok(status, "this replica is current");
    return fail(status, "this replica falls behind", "check the primary, and primaryauth");
  }
  const count = Number((await context.info()).get("connected_slaves"));
  const isNode = (await context.info()).get("cluster_enabled") === "1";
  if (count === 0 && isNode) {
    const meaning =
      "if this primary fails, the entities of its slots are lost, and changes of them are rejected";
    return warn("none", meaning, "CLUSTER REPLICATE <ID of the primary>, on another server");
  }
  if (count === 0) {
    const meaning =
      "if the server's host is lost, all data is lost; durability { replicas } is never reached";
    return info("none", meaning, "REPLICAOF <this host> <this port>, on another server");
  }
  const least = Number((await context.config()).get("min-replicas-to-write"));
  const status = `${count} connected, min-replicas-to-write ${least}`;
  if (count < least) {
    const meaning = "too few replicas: changes are rejected with NOREPLICAS";
    return fail(status, meaning, `connect ${least - count} more`);
  }
  if (count === least) {
    const meaning = "changes are rejected with NOREPLICAS if one replica fails, or takes over";
    return info(status, meaning, "connect one more replica");
  }
  if (least > 0) return ok(status, "in a network partition the primary soon rejects changes");
  const meaning =
    "in a network partition the primary keeps accepting changes, which a failover then discards";
  const fewest = isNode ? await fewestReplicas(context, count) : count;
  if (fewest > 1) return info(status, meaning, "CONFIG SET min-replicas-to-write 1");
  // A promoted replica would have none, and reject all changes.
  const fix = `connect a second replica${isNode ? " to each primary" : ""}, then set min-replicas-to-write 1`;
  return info(status, meaning, fix);
}

/** Returns the number of replicas of the primary that has the fewest, among all of a cluster. */
async function fewestReplicas(context: DoctorContext, own: number): Promise<number> {
  const view = await unlessDenied(context.view());
  return Math.min(own, ...[...(view?.map.replicas.values() ?? [])].map(({ length }) => length));
}
