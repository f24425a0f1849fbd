import { type Details, EVERYWHERE, type Fault, VoidInjection } from "../../fault.js";
import { errorCount } from "../../servers/info.js";
import { connection } from "../../servers/node.js";
import { freePort } from "../../servers/ports.js";

const LEAST_MET = 30;

/** Requires more replicas than there are. Changes are rejected before they begin. */
const tooFewReplicas: Fault = {
  name: "F19 too few replicas",
  topologies: EVERYWHERE,
  loses: false,
  async inject({ primary, withOverlap, waitBetween }): Promise<Details> {
    const { admin } = await primary();
    const before = await errorCount(admin, "NOREPLICAS");
    try {
      const { overlap, result } = await withOverlap(LEAST_MET, async () => {
        await admin.config("SET", "min-replicas-to-write", "9");
        return waitBetween(50, 600);
      });
      const rejections = (await errorCount(admin, "NOREPLICAS")) - before;
      if (rejections === 0) throw new VoidInjection("no change was rejected for lack of replicas");
      return { overlap, durationMs: result, rejections };
    } finally {
      await admin.config("SET", "min-replicas-to-write", "0");
    }
  },
};

/** Makes the node a replica of a server that does not exist, while connections are open. Its data stays. */
const readOnlyNode: Fault = {
  name: "F19 read-only node",
  topologies: ["standalone"],
  loses: false,
  async inject({ primary, withOverlap, waitBetween }): Promise<Details> {
    const { admin } = await primary();
    const before = await errorCount(admin, "READONLY");
    try {
      const { overlap, result } = await withOverlap(LEAST_MET, async () => {
        await admin.replicaof("127.0.0.1", await freePort());
        return waitBetween(50, 600);
      });
      const rejections = (await errorCount(admin, "READONLY")) - before;
      if (rejections === 0) throw new VoidInjection("no change ran into a read-only node");
      return { overlap, durationMs: result, rejections };
    } finally {
      await admin.replicaof("NO", "ONE");
    }
  },
};

/** Makes a start slow. The server replies LOADING meanwhile. */
const loading: Fault = {
  name: "F19 server loading",
  topologies: ["standalone"],
  loses: false,
  async inject({ primary, withOverlap, waitBetween }): Promise<Details> {
    const node = await primary();
    let rejections = 0;
    // A delay for each key simulates a large data set. The small interval lets the server reply meanwhile.
    const slow = { "key-load-delay": "100", "loading-process-events-interval-bytes": "1024" };
    const usual = { "key-load-delay": "0", "loading-process-events-interval-bytes": "2097152" };
    let [overlap, durationMs] = [0, 0];
    try {
      ({ overlap } = await withOverlap(8, async () => {
        // This fault is about the start, so the kill before it must lose nothing. The start restores the setting of the file.
        await node.admin.config("SET", "appendfsync", "always");
        await node.kill9();
        const restarted = node.restart(slow);
        restarted.catch(() => {}); // awaited below
        durationMs = await waitBetween(300, 1500);
        rejections = await errorCount(node.admin, "LOADING").catch(() => 0);
        await node.admin.config("SET", "key-load-delay", "0").catch(() => {}); // it has loaded already, or did not start
        await restarted;
      }));
    } finally {
      if (!node.isRunning) await node.restart(usual);
      else await node.setSettings(usual);
    }
    if (rejections === 0) throw new VoidInjection("no call ran into a server that was loading");
    return { overlap, durationMs, rejections };
  },
};

/** Runs an endless script. Others get BUSY until it is killed. */
const busy: Fault = {
  name: "F19 server busy",
  topologies: EVERYWHERE,
  loses: false,
  async inject({ primary, withOverlap, waitBetween }): Promise<Details> {
    const node = await primary();
    const other = connection(node.port);
    const [, threshold = "5000"] = (await node.admin.config("GET", "busy-reply-threshold")) as string[];
    const before = await errorCount(node.admin, "BUSY");
    await node.admin.config("SET", "busy-reply-threshold", "10");
    try {
      const { overlap, result } = await withOverlap(8, async () => {
        const ended = other.eval("while true do end", 0).catch((error: unknown) => error);
        const durationMs = await waitBetween(100, 600);
        await node.admin.script("KILL");
        await ended;
        return durationMs;
      });
      const rejections = (await errorCount(node.admin, "BUSY")) - before;
      if (rejections === 0) throw new VoidInjection("no call ran into the busy server");
      return { overlap, durationMs: result, rejections };
    } finally {
      other.disconnect();
      await node.admin.config("SET", "busy-reply-threshold", threshold);
    }
  },
};

/** Lists the faults in which a running server rejects changes. */
export const unavailableServers: readonly Fault[] = [tooFewReplicas, readOnlyNode, loading, busy];
