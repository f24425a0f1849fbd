import { fail, info, type Outcome, ok, warn } from "../check-result.js";
import type { DoctorContext } from "../context.js";

const TIGHT = 0.8;
const FULL = 0.95;

/** Checks that the server does not evict keys of latchkey, none of which expires. */
export async function evictionPolicy(context: DoctorContext): Promise<Outcome> {
  const status = (await context.info()).get("maxmemory_policy") ?? "unknown";
  if (status === "noeviction") return ok(status, "no entity is evicted");
  if (status.startsWith("volatile-")) return ok(status, "only keys that expire are evicted; no entity does");
  const meaning =
    "if memory is full the server deletes entities and event logs; without the event log a retry can take effect twice";
  return fail(status, meaning, "CONFIG SET maxmemory-policy noeviction");
}

/** Checks the free memory. */
export async function memoryHeadroom(context: DoctorContext): Promise<Outcome> {
  const used = Number((await context.info()).get("used_memory"));
  const limit = Number((await context.info()).get("maxmemory"));
  if (!(limit > 0)) {
    const meaning = "the operating system may kill the server when no memory is left";
    return info(`not set, ${mib(used)} used`, meaning, "CONFIG SET maxmemory <memory for the server>");
  }
  const share = used / limit;
  const status = `${mib(used)} of ${mib(limit)} used (${Math.round(share * 100)} %)`;
  if (share < TIGHT) return ok(status, "enough memory is free");
  const fix = "CONFIG SET maxmemory <more>, or remove entities";
  return share < FULL
    ? warn(status, "if it grows further, changes are rejected with OOM", fix)
    : fail(status, "changes are rejected with OOM now or soon", fix);
}

/** Formats an amount of memory. */
export function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
