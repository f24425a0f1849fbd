import { type Details, type Fault, Violation, VoidInjection } from "../../fault.js";
import { errorCount, infoField } from "../../servers/info.js";
import { doctorResult } from "../../servers/latchkey-command.js";

const LEAST_MET = 50;

/** Leaves no free memory. Every change is rejected before it begins, and succeeds when there is memory again. */
const outOfMemory: Fault = {
  name: "F17 out of memory",
  topologies: ["standalone", "sentinel"],
  loses: false,
  async inject({ servers, withOverlap, waitBetween }): Promise<Details> {
    const { admin } = await servers.primary();
    const before = await errorCount(admin, "OOM");
    try {
      const { overlap, result } = await withOverlap(LEAST_MET, async () => {
        const used = Number(await infoField(admin, "memory", "used_memory"));
        await admin.config("SET", "maxmemory", String(Math.floor(used * 0.9)));
        return waitBetween(50, 600);
      });
      const rejections = (await errorCount(admin, "OOM")) - before;
      if (rejections === 0) throw new VoidInjection("no change was rejected for lack of memory");
      return { overlap, durationMs: result, rejections };
    } finally {
      await admin.config("SET", "maxmemory", "0");
    }
  },
};

/** Sets a policy that evicts keys. The doctor must report it. */
const wrongEvictionPolicy: Fault = {
  name: "F17 wrong eviction policy",
  topologies: ["standalone", "sentinel"],
  loses: false,
  async inject({ servers, random }): Promise<Details> {
    const node = await servers.primary();
    const policy = random.of(["allkeys-lru", "allkeys-random", "volatile-ttl", "allkeys-lfu"]);
    await node.admin.config("SET", "maxmemory-policy", policy);
    try {
      const found = await doctorResult(node.url, "maxmemory-policy");
      if (found?.level !== "fail") {
        throw new Violation(`the doctor reports ${policy} as ${found?.level ?? "nothing"}`);
      }
      return { policy, doctor: found.level };
    } finally {
      await node.admin.config("SET", "maxmemory-policy", "noeviction");
    }
  },
};

/** Lists the faults of memory settings. */
export const memoryFaults: readonly Fault[] = [outOfMemory, wrongEvictionPolicy];
