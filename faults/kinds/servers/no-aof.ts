import { setTimeout as pause } from "node:timers/promises";
import type { Valkey } from "iovalkey";
import { withCanary } from "../../canary/with-canary.js";
import type { Details, Fault } from "../../fault.js";
import { infoField } from "../../servers/info.js";
import { beside } from "../../servers/own-server.js";

/** kill -9 of a server that only makes snapshots: all since the last one is lost, and nothing else. */
export const serverKilledNoAof: Fault = {
  name: "F6 server killed, no append-only file",
  topologies: ["standalone"],
  // On a server of its own.
  loses: false,
  async inject({ folder, hold }): Promise<Details> {
    return beside(folder, { appendonly: "no" }, async (node) => {
      let sinceSnapshotMs = 0;
      const told = await withCanary({ url: node.url, admin: async () => node.admin }, async (began) => {
        const snapshotAt = performance.now();
        await snapshot(node.admin);
        await hold(50, 400);
        began();
        sinceSnapshotMs = Math.round(performance.now() - snapshotAt);
        await node.kill9();
        await node.restart();
      });
      return { sinceSnapshotMs, ...told };
    });
  },
};

async function snapshot(admin: Valkey): Promise<void> {
  await admin.bgsave();
  while ((await infoField(admin, "persistence", "rdb_bgsave_in_progress")) === "1") await pause(5);
}
