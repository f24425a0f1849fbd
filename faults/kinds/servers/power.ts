import { withCanary } from "../../canary/with-canary.js";
import type { Details, Fault, Loss } from "../../fault.js";
import { withOwnServer } from "../../servers/own-server.js";
import { crashPrimary } from "./crash.js";

/** Permits the loss of what was not flushed. It flushes each second; during a slow flush, the next one waits. */
const NOT_FLUSHED: Loss = { windowMs: 5000 };

/** Fails the power under load. Everything that was not flushed to disk is lost. */
function powerFailure(appendfsync: "always" | "everysec", loses: false | Loss): Fault {
  return {
    name: `F6 power failure, appendfsync ${appendfsync}`,
    topologies: ["standalone"],
    loses,
    async inject(arena): Promise<Details> {
      const node = await arena.primary();
      let lostBytes = 0;
      const crash = async (): Promise<void> => {
        lostBytes = await node.losePower();
      };
      // This is long enough for the flush of each second.
      const audit = await crashPrimary(arena, node, appendfsync, loses, crash, () =>
        arena.waitBetween(0, 1500),
      );
      return { ...audit, lostBytes };
    },
  };
}

/** Fails the power of a server that never flushes. At worst everything since its start is lost. */
const powerFailureNeverFlushed: Fault = {
  name: "F6 power failure, appendfsync no",
  topologies: ["standalone"],
  // It has its own server.
  loses: false,
  async inject({ folder, waitBetween }): Promise<Details> {
    return withOwnServer(folder, { appendonly: "yes", appendfsync: "no" }, async (node) => {
      let [lostBytes, sinceStartMs] = [0, 0];
      const startedAt = performance.now();
      const audit = await withCanary({ url: node.url, admin: async () => node.admin }, async (markBegin) => {
        await waitBetween(50, 400);
        markBegin();
        sinceStartMs = Math.round(performance.now() - startedAt);
        lostBytes = await node.losePower();
        await node.restart();
      });
      return { appendfsync: "no", lostBytes, sinceStartMs, ...audit };
    });
  },
};

/** Lists a power failure for each way to flush the append-only file. */
export const powerFailures: readonly Fault[] = [
  powerFailure("always", false),
  powerFailure("everysec", NOT_FLUSHED),
  powerFailureNeverFlushed,
];
