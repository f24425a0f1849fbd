import { durationText } from "../../machine/duration.js";
import { allPartitionKeys, type MachineLocation, machinesKey, reactionKeys } from "../../valkey/keys.js";
import { installedMachines } from "../../valkey/layout.js";
import { readServerTime } from "../../valkey/server-clock.js";
import { streamGroups } from "../../valkey/stream.js";
import { type CheckResult, warn } from "../check-result.js";
import type { DoctorContext } from "../context.js";
import { query } from "../query.js";
import { readKeep } from "./event-logs.js";
import { readNamespace } from "./namespace.js";

/** Number of events from which a log has a rate. */
const FEWEST_EVENTS = 100;

/** Finds reactions whose delay is longer than the time for which the event log keeps an event at the present rate. */
export async function reactionDelays(context: DoctorContext): Promise<CheckResult[]> {
  const { partitions } = await readNamespace(context);
  if (partitions === undefined) return [];
  const { namespace } = context.location;
  const client = context.clientOf(machinesKey(namespace, 0));
  const names = await query("hkeys", () => installedMachines(client, namespace));
  const results = await Promise.all(
    names.map((machine) => longDelays(context, { namespace, machine, partitions })),
  );
  return results.flat();
}

async function longDelays(context: DoctorContext, location: MachineLocation): Promise<CheckResult[]> {
  const shortest = new Map<string, { readonly delayMs: number; readonly keptMs: number }>();
  for (const [partition, keys] of allPartitionKeys(location).entries()) {
    const client = context.clientOf(keys.events);
    const groups = await query("xinfo|groups", () => streamGroups(client, keys.events));
    for (const name of groups.map((group) => String(group.get("name")))) {
      const { settings } = reactionKeys(location, partition, name);
      const delayMs = Number((await query("hmget", () => client.hmget(settings, "delay")))[0]);
      if (!(delayMs > 0)) continue;
      const keptMs = await keptTime(context, keys);
      const known = shortest.get(name)?.keptMs ?? Number.POSITIVE_INFINITY;
      if (keptMs < Math.min(delayMs, known)) shortest.set(name, { delayMs, keptMs });
    }
  }
  return [...shortest].map(([name, { delayMs, keptMs }]) => {
    const kept = durationText(Math.ceil(keptMs / 1000) * 1000);
    const status = `${location.machine} ${name}: delay ${durationText(delayMs)}, events are kept for ${kept}`;
    const meaning = "at the present rate, events are trimmed from the log before the reaction handles them";
    const fix = "increase events.keep in the machine, or use a timeout of a state instead of the delay";
    return { id: "reaction-delays", ...warn(status, meaning, fix) };
  });
}

/** Estimates for how long a full event log keeps an event, in ms; infinite if there are too few events. */
async function keptTime(
  context: DoctorContext,
  keys: { readonly events: string; readonly machine: string },
): Promise<number> {
  const client = context.clientOf(keys.events);
  const keep = await readKeep(context, keys.machine);
  const length = await query("xlen", () => client.xlen(keys.events));
  const [oldest] = await query("xrange", () => client.xrange(keys.events, "-", "+", "COUNT", 1));
  if (keep === undefined || oldest === undefined || length < FEWEST_EVENTS) return Number.POSITIVE_INFINITY;
  const { nowMs } = await query("time", () => readServerTime(client));
  const spanMs = Math.max(0, nowMs - Number(oldest[0].split("-")[0]));
  return (spanMs * Math.max(keep, length)) / length;
}
