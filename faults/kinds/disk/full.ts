import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { Valkey } from "iovalkey";
import { withCanary } from "../../canary/with-canary.js";
import { type Details, type Fault, Violation, VoidInjection } from "../../fault.js";
import { type Holes, removeHoles } from "../../servers/file-holes.js";
import { errorCount, infoField } from "../../servers/info.js";
import type { DataNode } from "../../servers/node.js";
import { withOwnServer } from "../../servers/own-server.js";
import { SmallDisk } from "../../servers/small-disk.js";

const MEBIBYTES = 24;
const MOST_LEFT = 20_000;
const LOOK_MS = 10;
const TIMEOUT_MS = 15_000;
const REWRITE_MS = 60;

let count = 0;

/** Fills the server's disk while its file is rewritten repeatedly, frees it, and kills the server. */
function diskFull(appendfsync: "always" | "everysec"): Fault {
  return {
    name: `F18 disk full, appendfsync ${appendfsync}`,
    topologies: ["standalone"],
    // It has its own server.
    loses: false,
    async inject({ folder, random, waitBetween }): Promise<Details> {
      count += 1;
      const disk = await SmallDisk.mount(join(folder, `disk-${count}`), MEBIBYTES);
      try {
        const { dataDir } = disk;
        return await withOwnServer(
          folder,
          { appendonly: "yes", appendfsync },
          async (node) => {
            let end: End | undefined;
            let damage: Holes = { holes: 0, isCutShort: false };
            const isRewritten = appendfsync === "everysec" && random.below(2) === 0;
            const audit = await withCanary(
              { url: node.url, admin: async () => node.admin },
              async (markBegin) => {
                const rewriting = keepRewriting(node.admin);
                markBegin();
                await disk.fill(random.below(MOST_LEFT));
                end = await waitForRejection(node);
                await waitBetween(0, 300);
                await disk.free();
                await rewriting.stop();
                // This makes a file without anything that was written while the disk was full.
                if (isRewritten && end === "MISCONF") await rewrite(node.admin);
                await node.kill9();
                damage = await restart(node, isRewritten);
              },
            );
            if (end === undefined) throw new VoidInjection("the disk was not full soon enough");
            if (appendfsync === "always" && audit.lost > 0) {
              throw new Violation(`${audit.lost} acknowledged changes were lost by a full disk`);
            }
            return { appendfsync, end, isRewritten, ...damage, isFileRepaired: node.repairs > 0, ...audit };
          },
          { dataDir },
        );
      } finally {
        await disk.close();
      }
    },
  };
}

/** Names the reaction of a server to a full disk. */
type End = "MISCONF" | "exit";

/** Waits until the server rejects changes, or has exited. */
async function waitForRejection(node: DataNode): Promise<End | undefined> {
  const until = performance.now() + TIMEOUT_MS;
  while (performance.now() < until) {
    if (!node.isRunning) return "exit";
    if ((await errorCount(node.admin, "MISCONF").catch(() => 0)) > 0) return "MISCONF";
    await pause(LOOK_MS);
  }
  return undefined;
}

/** Restarts a killed server. Removes holes from its file first, if it may have some. Returns the damage. */
async function restart(node: DataNode, isRewritten: boolean): Promise<Holes> {
  try {
    await node.restart();
    return { holes: 0, isCutShort: false };
  } catch (error) {
    if (isRewritten || !String(error).includes("Bad file format")) throw error;
    const damage = await removeHoles(node.dataDir);
    await node.restart();
    return damage;
  }
}

/** Rewrites the whole data set to a new file, and waits until that has succeeded. */
async function rewrite(admin: Valkey): Promise<void> {
  const is = (field: string, value: string) => async () =>
    (await infoField(admin, "persistence", field)) === value;
  const isIdle = is("aof_rewrite_in_progress", "0");
  for (;;) {
    while (!(await isIdle())) await pause(LOOK_MS);
    await admin.bgrewriteaof();
    while (!(await isIdle())) await pause(LOOK_MS);
    if (await is("aof_last_bgrewrite_status", "ok")()) return;
  }
}

function keepRewriting(admin: Valkey): { stop(): Promise<void> } {
  let isStopped = false;
  const work = (async () => {
    while (!isStopped) {
      await admin.bgrewriteaof().catch(() => {}); // a rewrite is running, or the server has exited
      await pause(REWRITE_MS);
    }
  })();
  return {
    stop: () => {
      isStopped = true;
      return work;
    },
  };
}

/** Lists a full disk for each way to flush that makes a promise. */
export const disksFull: readonly Fault[] = [diskFull("always"), diskFull("everysec")];
