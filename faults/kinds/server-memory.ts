import { type Details, type Fault, Violation, VoidInjection } from "../fault.js";
import { doctorResult } from "../servers/doctor.js";
import { errorCount, infoField } from "../servers/info.js";

const LEAST_MET = 50;

/** No memory left: every change is refused before it begins, and goes on when there is some again. */
export const outOfMemory: Fault = {
  name: "F17 out of memory",
  topologies: ["standalone", "sentinel"],
  loses: false,
  async inject({ servers, overlapping, hold }): Promise<Details> {
    const { admin } = await servers.primary();
    const before = await errorCount(admin, "OOM");
    try {
      const { met, result } = await overlapping(LEAST_MET, async () => {
        const used = Number(await infoField(admin, "memory", "used_memory"));
        await admin.config("SET", "maxmemory", String(Math.floor(used * 0.9)));
        return hold(50, 600);
      });
      const refused = (await errorCount(admin, "OOM")) - before;
      if (refused === 0) throw new VoidInjection("no change was refused for lack of memory");
      return { met, heldMs: result, refused };
    } finally {
      await admin.config("SET", "maxmemory", "0");
    }
  },
};

/** A policy that throws keys away where memory is short: the doctor says so before it happens. */
export const wrongEvictionPolicy: Fault = {
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
        throw new Violation(`the doctor finds ${policy} ${found?.level ?? "not worth a word"}`);
      }
      return { policy, doctor: found.level };
    } finally {
      await node.admin.config("SET", "maxmemory-policy", "noeviction");
    }
  },
};
