import { ask } from "../valkey/ask.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { readServerTime } from "../valkey/server-clock.js";

/** The server's time in ms. Ages are told by it: this machine's own clock may be off. */
export async function serverNow({ connection }: Pick<MachineStore, "connection">): Promise<number> {
  const { nowMs } = await ask(connection, "serverTime", readServerTime);
  return nowMs;
}
