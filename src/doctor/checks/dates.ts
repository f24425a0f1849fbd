import { countText } from "../../contract/count-text.js";
import { ORDINAL_STEP } from "../../reads/position.js";
import { partitionKeys } from "../../valkey/keys.js";
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
  const { client } = context.connection;
  const { namespace } = context.location;
  const { partitions = 0 } = await readNamespace(context);
  const names = await query("hkeys", () => installedMachines(client, namespace));
  const { nowMs, errorMs } = await query("time", () => readServerTime(client));
  const fromMs = Math.floor(nowMs + errorMs) + FARTHEST_AHEAD_MS;
  const ahead: string[] = [];
  for (const machine of names) {
    let count = 0;
    for (let partition = 0; partition < partitions; partition++) {
      const keys = partitionKeys({ namespace, machine, partitions }, partition);
      const [states] = await query("hmget", () => client.hmget(keys.machine, "states"));
      const ordinals = (states ?? "").split(" ").map((_, ordinal) => ordinal * ORDINAL_STEP);
      const counts = await query("zcount", () =>
        Promise.all(
          ordinals.map((from) => client.zcount(keys.index, from + fromMs, from + ORDINAL_STEP - 1)),
        ),
      );
      count += counts.reduce((sum, one) => sum + one, 0);
    }
    if (count > 0) ahead.push(`${countText(count, `${machine} entity`, `${machine} entities`)}`);
  }
  if (ahead.length === 0)
    return ok("no entity is ahead of the server's clock", "timers end when they should");
  const meaning = "the server's clock was wrong when they entered their state; their timers end too late";
  return warn(`dated ahead of the server's clock: ${ahead.join(", ")}`, meaning, "latchkey fsck --repair");
}
