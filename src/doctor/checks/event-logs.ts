import { parseCompiledMachine } from "../../machine/compile.js";
import { eventLogSize } from "../../reads/event-log-size.js";
import { machinesKey, partitionKeys } from "../../valkey/keys.js";
import { installedMachines } from "../../valkey/layout.js";
import { type CheckResult, ok, warn } from "../check-result.js";
import type { DoctorContext } from "../context.js";
import { query } from "../query.js";
import { mib } from "./memory.js";
import { readNamespace } from "./namespace.js";

/** Share of the memory that event logs may need without a warning. */
const LARGE = 0.25;

/** Checks that the event logs of all machines leave enough memory when they stop growing. */
export async function eventLogs(context: DoctorContext): Promise<CheckResult[]> {
  const { partitions } = await readNamespace(context);
  if (partitions === undefined) return [];
  const { namespace } = context.location;
  const names = await query("hkeys", () =>
    installedMachines(context.clientOf(machinesKey(namespace, 0)), namespace),
  );
  const sizes = await Promise.all(
    names.map(async (machine) => {
      const location = { namespace, machine, partitions };
      const keep = await readKeep(context, partitionKeys(location, 0).machine);
      if (keep === undefined) return { machine, bytes: 0 };
      const { fullBytes } = await query("xrevrange", () =>
        eventLogSize((key) => context.clientOf(key), location, keep),
      );
      return { machine, bytes: fullBytes };
    }),
  );
  const largest = sizes.filter(({ bytes }) => bytes > 0).sort((a, b) => b.bytes - a.bytes);
  if (largest.length === 0) return [];
  const { memory, isLimited } = await memoryOf(context);
  const share = largest.reduce((sum, { bytes }) => sum + bytes, 0) / memory;
  const parts = largest.slice(0, 3).map(({ machine, bytes }) => `${machine} ${mib(bytes)}`);
  const limit = isLimited ? "maxmemory" : "the computer's memory";
  const status = `${parts.join(", ")} when full, ${Math.round(share * 100)} % of ${limit}`;
  if (share <= LARGE)
    return [{ id: "event-logs", ...ok(status, "event logs of this size leave enough memory") }];
  const meaning = "the event logs grow to events.keep times the size of a document, in each partition";
  const fix = "reduce events.keep in the machine, or the size of the entities, or add memory";
  return [{ id: "event-logs", ...warn(status, meaning, fix) }];
}

/** Adds up the memory of all servers: their limits, or without them the memory of their computers. */
async function memoryOf(
  context: DoctorContext,
): Promise<{ readonly memory: number; readonly isLimited: boolean }> {
  const servers = await context.servers();
  const infos = await Promise.all(servers.map((server) => server.info()));
  const limits = infos.map((info) => Number(info.get("maxmemory")));
  const sizes = infos.map((info) => Number(info.get("total_system_memory")));
  const parts = limits.map((limit, at) => (limit > 0 ? limit : (sizes[at] ?? 0)));
  return {
    memory: parts.reduce((sum, size) => sum + size, 0),
    isLimited: limits.every((limit) => limit > 0),
  };
}

/** Reads how many events a machine keeps; undefined if its definition is absent or unreadable, which has its own check. */
export async function readKeep(context: DoctorContext, key: string): Promise<number | undefined> {
  const [text] = await query("hmget", () => context.clientOf(key).hmget(key, "definition"));
  try {
    return text == null ? undefined : parseCompiledMachine(text).events.keep;
  } catch {
    return undefined;
  }
}
