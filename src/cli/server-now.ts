import type { Store } from "../changes/change.js";
import { ask } from "../valkey/ask.js";
import { readServerTime } from "../valkey/server-clock.js";

/** The server's time in ms. Ages are told by it: this machine's own clock may be off. */
export async function serverNow({ connection }: Pick<Store, "connection">): Promise<number> {
  const { nowMs } = await ask(connection, "serverTime", readServerTime);
  return nowMs;
}
