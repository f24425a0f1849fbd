import { type Details, type Fault, type Loss, Violation } from "../fault.js";
import { beside } from "../servers/beside.js";
import { withCanary } from "../servers/canary-run.js";

const LEAST_MET = 8;
const LONGEST_DOWN_MS = 300;
/** Flushed every second; while a flush is under way the next one waits, and what is written waits with it. */
const NOT_FLUSHED: Loss = { windowMs: 5000 };

/** The power fails under load: what was not flushed to disk is gone. */
function powerLost(appendfsync: "always" | "everysec", loses: false | Loss): Fault {
  return {
    name: `F6 power lost, appendfsync ${appendfsync}`,
    topologies: ["standalone"],
    loses,
    async inject({ servers, overlapping, hold }): Promise<Details> {
      const node = await servers.primary();
      const [, before = "always"] = (await node.admin.config("GET", "appendfsync")) as string[];
      let [met, downMs, lostBytes] = [0, 0, 0];
      // All that was there before is on disk.
      await node.admin.config("SET", "appendfsync", "always");
      await node.admin.config("SET", "appendfsync", appendfsync);
      const told = await withCanary({ url: servers.url, admin: async () => node.admin }, async (began) => {
        try {
          // Long enough for a flush of the second.
          await hold(0, 1500);
          ({ met } = await overlapping(LEAST_MET, async () => {
            began();
            lostBytes = await node.losePower();
            downMs = await hold(0, LONGEST_DOWN_MS);
          }));
        } finally {
          await node.restart();
          await node.admin.config("SET", "appendfsync", before);
        }
      });
      if (loses === false && told.lost > 0) {
        throw new Violation(
          `${told.lost} of ${told.acknowledged} acknowledged changes are lost with appendfsync ${appendfsync}`,
        );
      }
      return { appendfsync, met, downMs, lostBytes, ...told };
    },
  };
}

/** Never flushed by the server: all that the system has not written by itself is gone, at worst all since the start. */
const powerLostNeverFlushed: Fault = {
  name: "F6 power lost, appendfsync no",
  topologies: ["standalone"],
  // On a server of its own.
  loses: false,
  async inject({ folder, hold }): Promise<Details> {
    return beside(folder, { appendonly: "yes", appendfsync: "no" }, async (node) => {
      let [lostBytes, sinceStartMs] = [0, 0];
      const startedAt = performance.now();
      const told = await withCanary({ url: node.url, admin: async () => node.admin }, async (began) => {
        await hold(50, 400);
        began();
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
