import type { Valkey } from "iovalkey";
import { type Arena, type Details, EVERYWHERE, type Fault, VoidInjection } from "../../fault.js";

/** Flushes the script cache repeatedly. */
function flushed(mode: "SYNC" | "ASYNC"): Fault {
  return {
    name: `F5 script cache flushed, ${mode.toLowerCase()}`,
    topologies: EVERYWHERE,
    loses: false,
    async inject({ primary, random, withOverlap, waitBetween }): Promise<Details> {
      const { admin } = await primary();
      const before = await noScripts(admin);
      const flushes = 5 + random.below(15);
      const { overlap } = await withOverlap(50, async () => {
        for (let i = 0; i < flushes; i += 1) {
          await admin.call("SCRIPT", "FLUSH", mode);
          await waitBetween(5, 40);
        }
      });
      const missed = (await noScripts(admin)) - before;
      if (missed === 0) throw new VoidInjection("no call ran into a server without its script");
      return { flushes, missed, overlap };
    },
  };
}

/** Counts the calls that the server rejected because it did not know the script. */
async function noScripts(admin: Valkey): Promise<number> {
  const [, count = "0"] = /errorstat_NOSCRIPT:count=(\d+)/.exec(await admin.info("errorstats")) ?? [];
  return Number(count);
}

/** Runs more other scripts with EVAL than the server keeps. */
const crowded: Fault = {
  name: "F5 script cache crowded by 600 others",
  topologies: EVERYWHERE,
  loses: false,
  async inject({ primary, random, withOverlap }: Arena): Promise<Details> {
    const { admin } = await primary();
    const mark = random.below(2 ** 31);
    const { overlap } = await withOverlap(50, async () => {
      for (let i = 0; i < 600; i += 50) {
        const evals = Array.from({ length: 50 }, (_, j) => admin.eval(`return '${mark}-${i + j}'`, 0));
        await Promise.all(evals);
      }
    });
    return { scripts: 600, overlap };
  },
};

/** Lists the faults of the script cache. */
export const scriptCache: readonly Fault[] = [flushed("SYNC"), flushed("ASYNC"), crowded];
