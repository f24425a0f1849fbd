import { withCanary } from "../../canary/with-canary.js";
import type { Details, Fault, Loss } from "../../fault.js";
import { withOwnServer } from "../../servers/own-server.js";
import { crashPrimary } from "./crash.js";

/** Flushed every second; while a flush is under way the next one waits, and what is written waits with it. */
const NOT_FLUSHED: Loss = { windowMs: 5000 };

/** The power fails under load: what was not flushed to disk is gone. */
function powerLost(appendfsync: "always" | "everysec", loses: false | Loss): Fault {
  return {
    name: `F6 power lost, appendfsync ${appendfsync}`,
    topologies: ["standalone"],
    loses,
    async inject(arena): Promise<Details> {
      const node = await arena.servers.primary();
      let lostBytes = 0;
      const strike = async (): Promise<void> => {
        lostBytes = await node.losePower();
      };
      // Long enough for a flush of the second.
      const told = await crashPrimary(arena, node, appendfsync, loses, strike, () =>
        arena.waitBetween(0, 1500),
      );
      return { ...told, lostBytes };
    },
  };
}

/** Never flushed by the server: all that the system has not written by itself is gone, at worst all since the start. */
const powerLostNeverFlushed: Fault = {
  name: "F6 power lost, appendfsync no",
  topologies: ["standalone"],
  // On a server of its own.
  loses: false,
  async inject({ folder, waitBetween }): Promise<Details> {
    return withOwnServer(folder, { appendonly: "yes", appendfsync: "no" }, async (node) => {
      let [lostBytes, sinceStartMs] = [0, 0];
      const startedAt = performance.now();
      const told = await withCanary({ url: node.url, admin: async () => node.admin }, async (markBegin) => {
        await waitBetween(50, 400);
        markBegin();
        sinceStartMs = Math.round(performance.now() - startedAt);
        lostBytes = await node.losePower();
        await node.restart();
      });
      return { appendfsync: "no", lostBytes, sinceStartMs, ...told };
    });
  },
};

/** With each way to flush the append-only file. */
export const powerLosses: readonly Fault[] = [
  powerLost("always", false),
  powerLost("everysec", NOT_FLUSHED),
  powerLostNeverFlushed,
];
