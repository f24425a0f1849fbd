import type { DoctorContext } from "../context.js";
import type { Finding } from "../finding.js";

const TIGHT = 0.8;
const FULL = 0.95;

/** Whether the server may throw keys away. */
export async function evictionPolicy(context: DoctorContext): Promise<Finding> {
  const id = "maxmemory-policy";
  const seen = (await context.infoField("maxmemory_policy")) ?? "unknown";
  if (seen === "noeviction") return { id, level: "ok", seen, means: "no entity is ever thrown away" };
  const means = "when memory is short the server throws away entities, and leaves their index and log behind";
  return { id, level: "bad", seen, means, mend: "CONFIG SET maxmemory-policy noeviction" };
}

/** Whether there is room left. */
export async function memoryHeadroom(context: DoctorContext): Promise<Finding> {
  const id = "maxmemory";
  const [used, limit] = [
    Number(await context.infoField("used_memory")),
    Number(await context.infoField("maxmemory")),
  ];
  if (!(limit > 0)) {
    const means = "where the machine runs out of memory, the operating system ends the server";
    return {
      id,
      level: "note",
      seen: `no limit, ${mib(used)} used`,
      means,
      mend: "CONFIG SET maxmemory <what the machine can spare>",
    };
  }
  const share = used / limit;
  const seen = `${mib(used)} of ${mib(limit)} used (${Math.round(share * 100)} %)`;
  if (share < TIGHT) return { id, level: "ok", seen, means: "there is room" };
  const means =
    share < FULL
      ? "where it grows on, changes are refused with OOM"
      : "changes are refused with OOM, now or soon";
  return {
    id,
    level: share < FULL ? "warn" : "bad",
    seen,
    means,
    mend: "CONFIG SET maxmemory <more>, or remove entities",
  };
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
