import { type Details, EVERYWHERE, type Fault, Violation, VoidInjection } from "../../fault.js";
import { errorCount, infoField } from "../../servers/info.js";
import { doctorResult } from "../../servers/latchkey-command.js";
import { chooseChange, directSend, rawCall } from "../scripts/raw-call.js";

const LEAST_MET = 50;

const REMOVALS = 5;

/**
 * Leaves no free memory. A change that needs memory is rejected before it begins, and succeeds when there is memory again.
 * A removal must work, because it frees memory.
 */
const outOfMemory: Fault = {
  name: "F17 out of memory",
  topologies: EVERYWHERE,
  loses: false,
  async inject(arena): Promise<Details> {
    const { servers, keys, withOverlap, waitBetween, random } = arena;
    const partition = random.below(keys.partitions);
    const { admin } = await servers.primary(keys.prefix(partition));
    const send = directSend(admin);
    let removed = 0;
    const before = await errorCount(admin, "OOM");
    try {
      const { overlap, result } = await withOverlap(LEAST_MET, async () => {
        const used = Number(await infoField(admin, "memory", "used_memory"));
        await admin.config("SET", "maxmemory", String(Math.floor(used * 0.9)));
        for (let i = 0; i < REMOVALS; i += 1) {
          const { id } = chooseChange(arena, partition);
          const { reply } = await rawCall(arena, "caller-full", { operation: "remove", id }, send);
          if ("error" in reply) throw new Violation(`a full server rejected a removal: ${reply.error}`);
          if (reply[0] === "OK") removed += 1;
        }
        return waitBetween(50, 600);
      });
      const rejections = (await errorCount(admin, "OOM")) - before;
      if (rejections === 0) throw new VoidInjection("no change was rejected for lack of memory");
      return { overlap, durationMs: result, rejections, removed };
    } finally {
      await admin.config("SET", "maxmemory", "0");
    }
  },
};

/** Sets a policy that evicts keys. The doctor must report it. */
const wrongEvictionPolicy: Fault = {
  name: "F17 wrong eviction policy",
  topologies: EVERYWHERE,
  loses: false,
  async inject({ primary, random }): Promise<Details> {
    const node = await primary();
    const policy = random.of(["allkeys-lru", "allkeys-random", "allkeys-lfu"]);
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
