import { countText } from "../../contract/count-text.js";
import { ORDINAL_STEP } from "../../reads/position.js";
import { allPartitionKeys, machinesKey } from "../../valkey/keys.js";
import { installedMachines } from "../../valkey/layout.js";
import { readServerTime } from "../../valkey/server-clock.js";
import { type Outcome, ok, warn } from "../check-result.js";
import type { DoctorContext } from "../context.js";
import { query } from "../query.js";
import { readNamespace } from "./namespace.js";

/** The scripts follow the server's clock again if an entity is dated further ahead. */
const FARTHEST_AHEAD_MS = 60_000;

/** Checks that no entity entered its state at a time that is ahead of the server's clock. */
export async function dates(context: DoctorContext): Promise<Outcome> {
  const { namespace } = context.location;
  const { partitions = 0 } = await readNamespace(context);
  const names = await query("hkeys", () =>
    installedMachines(context.clientOf(machinesKey(namespace, 0)), namespace),
  );
  const fromMs = (await latestTime(context)) + FARTHEST_AHEAD_MS;
  const ahead: string[] = [];
  for (const machine of names) {
    const location = { namespace, machine, partitions };
    const counts = allPartitionKeys(location).map(async ({ machine: key, index }) => {
      const client = context.clientOf(key);
      const [states] = await query("hmget", () => client.hmget(key, "states"));
      const ordinals = (states ?? "").split(" ").map((_, ordinal) => ordinal * ORDINAL_STEP);
      const zcount = (from: number) => client.zcount(index, from + fromMs, from + ORDINAL_STEP - 1);
      return query("zcount", () => Promise.all(ordinals.map(zcount)));
    });
    const count = (await Promise.all(counts)).flat().reduce((sum, one) => sum + one, 0);
    if (count > 0) ahead.push(`${countText(count, `${machine} entity`, `${machine} entities`)}`);
  }
  if (ahead.length === 0)
    return ok("no entity is ahead of the server's clock", "timers end when they should");
  const meaning = "the server's clock was wrong when they entered their state; their timers end too late";
  return warn(`dated ahead of the server's clock: ${ahead.join(", ")}`, meaning, "latchkey fsck --repair");
}

/** Returns the time that no server's clock has passed, in ms. */
async function latestTime(context: DoctorContext): Promise<number> {
  const times = (await context.servers()).map(async ({ connection }) => {
    const { nowMs, errorMs } = await query("time", () => readServerTime(connection.client));
    return Math.floor(nowMs + errorMs);
  });
  return Math.max(...(await Promise.all(times)));
}
