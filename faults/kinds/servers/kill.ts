import type { Details, Fault, Loss } from "../../fault.js";
import { takeDown } from "./crash.js";

/** What the process had not handed to the system yet is gone; while a flush is slow the server waits for it so long. */
const NOT_WRITTEN: Loss = { windowMs: 2000 };

/** kill -9 of the server under load, and a start on what is on its disk. What an operator sees as a crash. */
function serverKilled(appendfsync: "always" | "everysec" | "no", loses: false | Loss): Fault {
  return {
    name: `F6 server killed, appendfsync ${appendfsync}`,
    topologies: ["standalone"],
    loses,
    async inject(arena): Promise<Details> {
      const node = await arena.servers.primary();
      const mended = node.mended;
      const told = await takeDown(arena, node, appendfsync, loses, () => node.kill9());
      return { ...told, mendedFile: node.mended > mended };
    },
  };
}

/** Killed with each way to flush the append-only file. */
export const serverKilledAlways = serverKilled("always", false);
export const serverKilledEverysec = serverKilled("everysec", NOT_WRITTEN);
export const serverKilledNo = serverKilled("no", NOT_WRITTEN);
