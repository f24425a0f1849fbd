import type { Details, Fault } from "../../fault.js";

const LEAST_MET = 50;
const FARTHEST_MS = 10_000;

/** Sets the primary's clock forward and back, and corrects it at the end. Timestamps must never decrease. */
export const clockJumps: Fault = {
  name: "F16 clock jumps",
  topologies: ["standalone", "sentinel"],
  loses: false,
  setsClockBack: true,
  async inject({ servers, random, withOverlap, waitBetween }): Promise<Details> {
    const node = await servers.primary();
    const jumps = Array.from(
      { length: 1 + random.below(4) },
      () => random.below(2 * FARTHEST_MS + 1) - FARTHEST_MS,
    );
    try {
      const { overlap } = await withOverlap(LEAST_MET, async () => {
        for (const offsetMs of jumps) {
          await node.setClock(offsetMs);
          await waitBetween(50, 400);
        }
      });
      return { overlap, jumpsMs: jumps };
    } finally {
      await node.setClock(0);
    }
  },
};
