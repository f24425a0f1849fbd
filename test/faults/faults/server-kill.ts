import { type Details, type Fault, type Loss, Violation } from "../fault.js";
import { withCanary } from "../servers/canary-run.js";

const LONGEST_DOWN_MS = 300;
const LEAST_MET = 8;
/** What the process had not handed to the system yet is gone; while a flush is slow the server waits for it so long. */
const NOT_WRITTEN: Loss = { windowMs: 2000 };

/** kill -9 of the server under load, and a start on what is on its disk. What an operator sees as a crash. */
function serverKilled(appendfsync: "always" | "everysec" | "no", loses: false | Loss): Fault {
  return {
    name: `F6 server killed, appendfsync ${appendfsync}`,
    topologies: ["standalone"],
    loses,
    async inject({ servers, overlapping, hold }): Promise<Details> {
      const node = await servers.primary();
      const [, before = "always"] = (await node.admin.config("GET", "appendfsync")) as string[];
      const mended = node.mended;
      let [met, downMs] = [0, 0];
      await node.admin.config("SET", "appendfsync", appendfsync);
      const told = await withCanary({ url: servers.url, admin: async () => node.admin }, async (began) => {
        try {
          ({ met } = await overlapping(LEAST_MET, async () => {
            began();
            await node.kill9();
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
      return { appendfsync, met, downMs, mendedFile: node.mended > mended, ...told };
    },
  };
}

/** Killed with each way to flush the append-only file. */
export const serverKilledAlways = serverKilled("always", false);
export const serverKilledEverysec = serverKilled("everysec", NOT_WRITTEN);
export const serverKilledNo = serverKilled("no", NOT_WRITTEN);
