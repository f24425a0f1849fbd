import type { Arena, Details, Fault } from "../../fault.js";
import type { ClientFilter } from "../../proxy/proxy.js";
import { happens } from "../../random.js";

const LEAST_MET = 8;

async function partition(
  arena: Arena,
  which: ClientFilter,
  longest: number,
): Promise<{ overlap: number; durationMs: number }> {
  const { proxies, random } = arena;
  try {
    const { result, overlap } = await arena.withOverlap(LEAST_MET, () => {
      for (const proxy of proxies) proxy.treat({ partition: true }, random.below(2 ** 31), which);
      return arena.waitBetween(100, longest);
    });
    return { overlap, durationMs: result };
  } finally {
    for (const proxy of proxies) proxy.heal();
  }
}

/** Nothing passes between any client and the servers; now and then for longer than calls last. */
const everybody: Fault = {
  name: "F2 all clients partitioned",
  topologies: ["standalone", "sentinel"],
  loses: false,
  async inject(arena): Promise<Details> {
    const longest = happens(arena.random, 10) ? 3_500 : 900;
    return partition(arena, (name) => isClient(arena, name), longest);
  },
};

/** Some clients see the servers no more, while the others go on. */
const some: Fault = {
  name: "F2 some clients partitioned",
  topologies: ["standalone", "sentinel"],
  loses: false,
  async inject(arena): Promise<Details> {
    const workers = arena.fleet.of("worker").map(({ name }) => name);
    const cutOff = workers.filter((_, i) => i === 0 || happens(arena.random, 30));
    const told = await partition(arena, (name) => cutOff.includes(name), 900);
    return { ...told, cutOff: [...cutOff] };
  },
};

/** Sentinels and replicas use other names, or none. */
function isClient({ fleet, timed }: Arena, name: string): boolean {
  return (
    name.startsWith("latchkey-") || [...fleet.processes, ...timed.processes].some((one) => one.name === name)
  );
}

/** Who can reach whom. */
export const networkPartitions: readonly Fault[] = [everybody, some];
