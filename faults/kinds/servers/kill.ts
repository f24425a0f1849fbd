import { setTimeout as pause } from "node:timers/promises";
import type { Valkey } from "iovalkey";
import { withCanary } from "../../canary/with-canary.js";
import type { Details, Fault, Loss } from "../../fault.js";
import { infoField } from "../../servers/info.js";
import { withOwnServer } from "../../servers/own-server.js";
import { crashPrimary } from "./crash.js";

/** Permits the loss of what the process had not yet written to the system. A slow flush delays writes that long. */
const NOT_WRITTEN: Loss = { windowMs: 2000 };

/** Kills the server under load, and starts it on what is on its disk. An operator sees this as a crash. */
function serverKilled(appendfsync: "always" | "everysec" | "no", loses: false | Loss): Fault {
  return {
    name: `F6 server killed, appendfsync ${appendfsync}`,
    topologies: ["standalone"],
    loses,
    async inject(arena): Promise<Details> {
      const node = await arena.primary();
      const repairs = node.repairs;
      const audit = await crashPrimary(arena, node, appendfsync, loses, () => node.kill9());
      return { ...audit, isFileRepaired: node.repairs > repairs };
    },
  };
}

/** Kills a server that only makes snapshots. Everything since the last one is lost, and nothing else. */
const serverKilledWithoutFile: Fault = {
  name: "F6 server killed, no append-only file",
  topologies: ["standalone"],
  // It has its own server.
  loses: false,
  async inject({ folder, waitBetween }): Promise<Details> {
    return withOwnServer(folder, { appendonly: "no" }, async (node) => {
      let sinceSnapshotMs = 0;
      const audit = await withCanary({ url: node.url, admin: async () => node.admin }, async (markBegin) => {
        const snapshotAt = performance.now();
        await snapshot(node.admin);
        await waitBetween(50, 400);
        markBegin();
        sinceSnapshotMs = Math.round(performance.now() - snapshotAt);
        await node.kill9();
        await node.restart();
      });
      return { sinceSnapshotMs, ...audit };
    });
  },
};

async function snapshot(admin: Valkey): Promise<void> {
  await admin.bgsave();
  while ((await infoField(admin, "persistence", "rdb_bgsave_in_progress")) === "1") await pause(5);
}

/** Lists a kill for each way to flush the append-only file, and one without the file. */
export const serverKills: readonly Fault[] = [
  serverKilled("always", false),
  serverKilled("everysec", NOT_WRITTEN),
  serverKilled("no", NOT_WRITTEN),
  serverKilledWithoutFile,
];
