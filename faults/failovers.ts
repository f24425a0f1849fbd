import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Audit } from "./canary/audit.js";
import { canaryName } from "./canary/canary.js";
import { withCanary } from "./canary/with-canary.js";
import { MachineKeys } from "./machines/keys.js";
import { ClusterServers } from "./servers/cluster.js";
import type { ClusterNode } from "./servers/cluster-node.js";

// The program `npm run faults:failovers -- 10`: measures what each kind of failover of a cluster loses, with callers that do
// nothing else. It needs less of the machine than a run of the fault runner.

const CALLERS = 6;
const NODE_TIMEOUT_MS = 6_000;

const KINDS: Readonly<
  Record<string, (cluster: ClusterServers, primary: ClusterNode, replica: ClusterNode) => Promise<void>>
> = {
  "CLUSTER FAILOVER": (cluster, _, replica) => cluster.failOver(replica),
  "CLUSTER FAILOVER FORCE": (cluster, _, replica) => cluster.failOver(replica, "FORCE"),
  "CLUSTER FAILOVER TAKEOVER": (cluster, _, replica) => cluster.failOver(replica, "TAKEOVER"),
  "primary killed": (_, primary) => primary.server.kill9(),
};

/** Makes one failover under load, and returns what happened to the changes. */
async function failOver(cluster: ClusterServers, kind: string): Promise<Audit> {
  await cluster.awaitHealth();
  const [primary] = await cluster.primaries();
  const [replica] = primary === undefined ? [] : await cluster.replicasOf(primary);
  if (primary === undefined || replica === undefined) throw new Error("the cluster has no replica");
  let namespace = canaryName();
  const prefix = (): string => new MachineKeys(namespace, "agent").prefix(0);
  while ((await cluster.ownerOf(prefix())) !== primary) namespace = canaryName();
  const slot = await cluster.slotOf(prefix());
  // Half of the callers wait for the replica.
  const canary = { url: cluster.url, namespace, callers: CALLERS, replicas: [0, 1] };
  const admin = async (key: string) => (await cluster.primary(key)).admin;
  return withCanary({ ...canary, admin }, async (markBegin) => {
    markBegin();
    await KINDS[kind]?.(cluster, primary, replica);
    await cluster.owner(slot, [primary]);
    if (!primary.server.isRunning) await primary.server.restart();
    await cluster.awaitHealth();
  });
}

async function main(): Promise<void> {
  const rounds = Number(process.argv[2] ?? 10);
  const folder = await mkdtemp(join(tmpdir(), "latchkey-failovers-"));
  const settings = { appendonly: "yes", appendfsync: "everysec" };
  const cluster = await ClusterServers.start({
    ...{ folder, settings },
    replicas: 1,
    nodeTimeoutMs: NODE_TIMEOUT_MS,
  });
  try {
    for (const kind of Object.keys(KINDS)) {
      const audits: Audit[] = [];
      for (let round = 0; round < rounds; round += 1) audits.push(await failOver(cluster, kind));
      const sum = (field: keyof Audit): number => audits.reduce((total, audit) => total + audit[field], 0);
      const spanMs = Math.max(...audits.map(({ lostSpanMs }) => lostSpanMs));
      console.log(
        `${kind.padEnd(28)} ${rounds} failovers: ${sum("lost")} of ${sum("acknowledged")} acknowledged changes lost, ` +
          `at most within ${spanMs} ms; of those that the replica acknowledged ${sum("lostByOneReplica")}`,
      );
    }
  } finally {
    await cluster.close();
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
