import { withCanary } from "../../canary/with-canary.js";
import { type Arena, type Details, type Loss, Violation } from "../../fault.js";
import type { ServerNode } from "../../servers/servers.js";

const LONGEST_DOWN_MS = 300;
const LEAST_MET = 8;

/**
 * Takes the primary down under load while it flushes its append-only file in this way, starts it on what is on its disk,
 * and measures what was lost.
 *
 * @param strike takes it down; `before` has passed with the canary at work
 * @throws Violation when anything acknowledged is lost that must not be
 */
export async function crashPrimary(
  { servers, withOverlap, waitBetween }: Arena,
  node: ServerNode,
  appendfsync: "always" | "everysec" | "no",
  loses: false | Loss,
  strike: () => Promise<void>,
  before: () => Promise<unknown> = async () => undefined,
): Promise<Details> {
  const [, usual = "always"] = (await node.admin.config("GET", "appendfsync")) as string[];
  let [overlap, downMs] = [0, 0];
  // All that was there before is on disk.
  await node.admin.config("SET", "appendfsync", "always");
  await node.admin.config("SET", "appendfsync", appendfsync);
  const told = await withCanary({ url: servers.url, admin: async () => node.admin }, async (markBegin) => {
    try {
      await before();
      ({ overlap } = await withOverlap(LEAST_MET, async () => {
        markBegin();
        await strike();
        downMs = await waitBetween(0, LONGEST_DOWN_MS);
      }));
    } finally {
      await node.restart();
      await node.admin.config("SET", "appendfsync", usual);
    }
  });
  if (loses === false && told.lost > 0) {
    throw new Violation(
      `${told.lost} of ${told.acknowledged} acknowledged changes are lost with appendfsync ${appendfsync}`,
    );
  }
  return { appendfsync, overlap, downMs, ...told };
}
