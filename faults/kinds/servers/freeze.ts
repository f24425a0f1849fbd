import { withCanary } from "../../canary/with-canary.js";
import type { Details, Fault } from "../../fault.js";

const LEAST_MET = 8;
const DEADLINE_MS = 250;
const [SHORTEST_MS, USUAL_MS, LONGEST_MS] = [100, 1500, 10_000];

/**
 * Freezes the server and lets it continue, like a pause of a virtual machine. It then executes what waited in its sockets,
 * but nothing after its deadline.
 */
export const serverFrozen: Fault = {
  name: "F9 server frozen",
  topologies: ["standalone"],
  loses: false,
  async inject({ servers, primary, random, withOverlap, waitBetween }): Promise<Details> {
    const node = await primary();
    const most = random.below(8) === 0 ? LONGEST_MS : USUAL_MS;
    const canary = { url: servers.url, deadlineMs: DEADLINE_MS, retries: false, callers: 8 };
    let [overlap, frozenMs] = [0, 0];
    const audit = await withCanary({ ...canary, admin: async () => node.admin }, async (markBegin) => {
      try {
        ({ overlap } = await withOverlap(LEAST_MET, async () => {
          markBegin();
          node.stop();
          frozenMs = await waitBetween(SHORTEST_MS, most);
        }));
      } finally {
        node.cont();
      }
    });
    return { overlap, frozenMs, ...audit };
  },
};
