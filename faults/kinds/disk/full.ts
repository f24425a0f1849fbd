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
const PATIENCE_MS = 15_000;
const REWRITE_MS = 60;

let count = 0;

/** No room left on the server's disk, while its file is rewritten over and over; then there is some, and it is killed. */
function diskFull(appendfsync: "always" | "everysec"): Fault {
  return {
    name: `F18 disk full, appendfsync ${appendfsync}`,
    topologies: ["standalone"],
    // On a server of its own.
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
            const told = await withCanary(
              { url: node.url, admin: async () => node.admin },
              async (markBegin) => {
                const rewriting = rewriteOverAndOver(node.admin);
                markBegin();
                await disk.fill(random.below(MOST_LEFT));
                end = await waitForRejection(node);
                await waitBetween(0, 300);
                await disk.free();
                await rewriting.stop();
                // A file without what was written while the disk was full, before anything can happen to the server.
                if (isRewritten && end === "MISCONF") await rewrite(node.admin);
                await node.kill9();
                damage = await startAgain(node, isRewritten);
              },
            );
            if (end === undefined) throw new VoidInjection("the disk was not full soon enough");
            if (appendfsync === "always" && told.lost > 0) {
              throw new Violation(`${told.lost} acknowledged changes are lost by a full disk`);
            }
            return { appendfsync, end, isRewritten, ...damage, isFileRepaired: node.repairs > 0, ...told };
          },
          { dataDir },
        );
      } finally {
        await disk.close();
      }
    },
  };
}

/** What a server does when its disk is full. */
type End = "MISCONF" | "exit";

/** Waits until the server refuses changes, or has ended itself. */
async function waitForRejection(node: DataNode): Promise<End | undefined> {
  const until = performance.now() + PATIENCE_MS;
  while (performance.now() < until) {
    if (!node.isRunning) return "exit";
    if ((await errorCount(node.admin, "MISCONF").catch(() => 0)) > 0) return "MISCONF";
    await pause(LOOK_MS);
  }
  return undefined;
}

/** Starts a server that was killed; where its file has holes, and may have, without them. Returns what there was. */
async function startAgain(node: DataNode, isRewritten: boolean): Promise<Holes> {
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

/** Has the whole data set written to a new file, and waits until it is. */
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

function rewriteOverAndOver(admin: Valkey): { stop(): Promise<void> } {
  let isOver = false;
  const work = (async () => {
    while (!isOver) {
      await admin.bgrewriteaof().catch(() => {}); // one is under way, or the server is gone
      await pause(REWRITE_MS);
    }
  })();
  return {
    stop: () => {
      isOver = true;
      return work;
    },
  };
}

/** With each way to flush that promises something. */
export const disksFull: readonly Fault[] = [diskFull("always"), diskFull("everysec")];
