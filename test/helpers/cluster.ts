import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type ClusterOptions, ClusterServers } from "../../faults/servers/cluster.js";
import { atFileEnd } from "./file-end.js";

/** A busy machine answers late. Clusters that are to fail over get a shorter time. */
const NODE_TIMEOUT_MS = 15_000;

let shared: Promise<ClusterServers> | undefined;

/** The cluster of this test file: three primaries without replicas, started at the first call, ended with the file. */
export function useCluster(): Promise<ClusterServers> {
  if (shared === undefined) {
    const started = start({});
    shared = started;
    atFileEnd(async () => {
      shared = undefined;
      await (await started).close();
    });
  }
  return shared;
}

/** Starts a cluster for one test, by default of three primaries without replicas. */
export async function ownCluster(options: Omit<ClusterOptions, "folder"> = {}): Promise<ClusterServers> {
  const cluster = await start(options);
  onTestFinished(() => cluster.close());
  return cluster;
}

async function start(options: Omit<ClusterOptions, "folder">): Promise<ClusterServers> {
  const folder = await mkdtemp(join(tmpdir(), "latchkey-cluster-"));
  const cluster = await ClusterServers.start({ nodeTimeoutMs: NODE_TIMEOUT_MS, ...options, folder });
  const close = cluster.close.bind(cluster);
  cluster.close = async () => {
    await close();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  };
  return cluster;
}
