import type { DoctorContext } from "../context.js";
import type { Finding } from "../finding.js";

/** Whether this server takes changes. Needs no right. */
export async function role(context: DoctorContext): Promise<Finding> {
  const id = "role";
  const { role: seen } = await context.greeting();
  if (seen === "master") return { id, level: "ok", seen: "primary", means: "it takes changes" };
  return {
    id,
    level: "bad",
    seen,
    means: "a replica refuses changes, and what it tells may be old",
    mend: `connect to its primary${await primaryOf(context)}`,
  };
}

async function primaryOf(context: DoctorContext): Promise<string> {
  const info = await context.info().catch(() => new Map<string, string>());
  const [host, port] = [info.get("master_host"), info.get("master_port")];
  return host === undefined || port === undefined ? "" : `: --url valkey://${host}:${port}`;
}

/** How many copies there are, and whether changes wait for one. */
export async function replicas(context: DoctorContext): Promise<Finding> {
  const id = "replicas";
  const { role: its } = await context.greeting();
  if (its !== "master") return linkToPrimary(context);
  const count = Number(await context.infoField("connected_slaves"));
  if (count === 0) {
    const means =
      "if the server's machine is lost, so is the state; durability { replicas } is never reached";
    return {
      id,
      level: "note",
      seen: "none",
      means,
      mend: "REPLICAOF <this host> <this port>, on another server",
    };
  }
  const least = Number(await context.setting("min-replicas-to-write"));
  const seen = `${count} connected, min-replicas-to-write ${least}`;
  if (count < least) {
    const means = "too few replicas: changes are refused with NOREPLICAS";
    return { id, level: "bad", seen, means, mend: `connect ${least - count} more` };
  }
  if (least === 0) {
    const means = "a primary that is cut off goes on taking changes, which a failover then discards";
    return { id, level: "note", seen, means, mend: "CONFIG SET min-replicas-to-write 1" };
  }
  return { id, level: "ok", seen, means: "a primary that is cut off soon refuses changes" };
}

async function linkToPrimary(context: DoctorContext): Promise<Finding> {
  const id = "replicas";
  const seen = (await context.infoField("master_link_status")) ?? "unknown";
  return seen === "up"
    ? { id, level: "ok", seen: "link to the primary is up", means: "this replica follows" }
    : {
        id,
        level: "bad",
        seen: `link to the primary is ${seen}`,
        means: "this replica falls behind",
        mend: "look at the primary, and at primaryauth",
      };
}
