import type { Valkey } from "iovalkey";
import { chooseId } from "../../client/workload.js";
import { type Arena, type Details, EVERYWHERE, type Fault, Violation, VoidInjection } from "../../fault.js";

const LEAST_MET = 50;
const PARTS = ["entity", "log", "machine", "index", "due", "events"] as const;
const PLANTED = "planted by the fault runner";

async function wrongTypes(admin: Valkey): Promise<number> {
  const [, count = "0"] = /errorstat_WRONGTYPE:count=(\d+)/.exec(await admin.info("errorstats")) ?? [];
  return Number(count);
}

/** Returns the content of the keys as text, to check that nothing was written. */
async function content(admin: Valkey, keys: readonly string[]): Promise<string> {
  const texts = keys.map(async (key) => {
    // A stream may be large, and only grows.
    if (key.endsWith(":events")) return JSON.stringify(await admin.xrevrange(key, "+", "-", "COUNT", 1));
    return (await admin.dumpBuffer(key))?.toString("base64") ?? "none";
  });
  return (await Promise.all(texts)).join(" ");
}

/** Puts another type at one of the six keys. A script that finds it must not write to the other keys. */
function wrongType(part: (typeof PARTS)[number]): Fault {
  return {
    name: `F20 wrong type at the ${part} key`,
    topologies: EVERYWHERE,
    loses: false,
    async inject(arena): Promise<Details> {
      const id = await existingId(arena);
      const all = arena.keys.ofEntity(id);
      const [own, shared] = [all.slice(0, 2), all.slice(2)];
      const key = all[PARTS.indexOf(part)] ?? "";
      const { admin } = await arena.servers.primary(key);
      const aside = `${arena.keys.prefix(arena.keys.partitionOf(id))}aside`;
      // All entities of a partition share the last four keys. If one of those is replaced, nothing may change at all.
      const still = (own.includes(key) ? own : shared).filter((other) => other !== key);
      const before = await wrongTypes(admin);
      const replies = await admin.multi().rename(key, aside).set(key, PLANTED).exec();
      if (replies?.some(([error]) => error !== null)) throw new VoidInjection(`there was no ${key}`);
      let changed = false;
      try {
        const result = await arena.withOverlap(LEAST_MET, async () => {
          const first = await content(admin, still);
          const durationMs = await arena.waitBetween(50, 400);
          changed = first !== (await content(admin, still));
          return durationMs;
        });
        const rejections = (await wrongTypes(admin)) - before;
        changed ||= (await admin.get(key)) !== PLANTED;
        if (changed) throw new Violation(`something was written while the ${part} key held another type`);
        if (rejections === 0) throw new VoidInjection("no script ran into it");
        return { id, rejections, overlap: result.overlap, durationMs: result.result };
      } finally {
        await durably(admin, () => admin.multi().del(key).rename(aside, key).exec());
      }
    },
  };
}

/**
 * Writes durably. Otherwise a server that loses its last second, or a promoted replica, would have the wrong type again.
 * WAITAOF does not help: with `everysec`, Valkey 8.0.1 replies before the file is flushed.
 */
async function durably(admin: Valkey, write: () => Promise<unknown>): Promise<void> {
  const [, before = "everysec"] = (await admin.config("GET", "appendfsync")) as string[];
  await admin.config("SET", "appendfsync", "always");
  await write();
  await admin.config("SET", "appendfsync", before);
  const [, replicas = "0"] = /connected_slaves:(\d+)/.exec(await admin.info("replication")) ?? [];
  await admin.wait(Number(replicas), 3_000);
}

/** Chooses an existing hot entity. */
async function existingId({ servers, keys, fleet, random }: Arena): Promise<string> {
  for (let tries = 0; tries < 200; tries += 1) {
    const id = chooseId(random, fleet.generation);
    if (!id.startsWith("hot")) continue;
    const [key = ""] = keys.ofEntity(id);
    const { admin } = await servers.primary(key);
    if ((await admin.exists(key)) === 1) return id;
  }
  throw new VoidInjection("no hot entity exists");
}

/** Lists one fault for each key of the scripts. */
export const wrongTypeFaults: readonly Fault[] = PARTS.map(wrongType);
