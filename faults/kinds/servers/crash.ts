import { withCanary } from "../../canary/with-canary.js";
import { type Arena, type Details, type Loss, Violation } from "../../fault.js";
import type { ServerNode } from "../../servers/servers.js";

const LONGEST_DOWN_MS = 300;
const LEAST_MET = 8;

/**
 * Crashes the primary under load while it flushes with `appendfsync`, starts it on what is on its disk, and measures the
 * loss.
 *
 * @param crash crashes it; `before` runs first, while the canary works
 * @throws Violation if an acknowledged change is lost that must not be
 */
export async function crashPrimary(
  { servers, withOverlap, waitBetween }: Arena,
  node: ServerNode,
  appendfsync: "always" | "everysec" | "no",
  loses: false | Loss,
  crash: () => Promise<void>,
  before: () => Promise<unknown> = async () => undefined,
): Promise<Details> {
  const [, usual = "always"] = (await node.admin.config("GET", "appendfsync")) as string[];
  let [overlap, downMs] = [0, 0];
  // This flushes everything that was written before.
  await node.admin.config("SET", "appendfsync", "always");
  await node.admin.config("SET", "appendfsync", appendfsync);
  const audit = await withCanary({ url: servers.url, admin: async () => node.admin }, async (markBegin) => {
    try {
      await before();
      ({ overlap } = await withOverlap(LEAST_MET, async () => {
        markBegin();
        await crash();
        downMs = await waitBetween(0, LONGEST_DOWN_MS);
      }));
    } finally {
      await node.restart();
      await node.admin.config("SET", "appendfsync", usual);
    }
  });
  if (loses === false && audit.lost > 0) {
    throw new Violation(
      `${audit.lost} of ${audit.acknowledged} acknowledged changes are lost with appendfsync ${appendfsync}`,
    );
  }
  return { appendfsync, overlap, downMs, ...audit };
}
