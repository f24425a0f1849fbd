import { type Arena, type Details, EVERYWHERE, type Fault } from "../../fault.js";
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

/** Partitions all clients from the servers, sometimes for longer than the timeout of calls. */
const allClients: Fault = {
  name: "F2 all clients partitioned",
  topologies: EVERYWHERE,
  loses: false,
  async inject(arena): Promise<Details> {
    const longest = happens(arena.random, 10) ? 3_500 : 900;
    return partition(arena, (name) => isClient(arena, name), longest);
  },
};

/** Partitions some clients from the servers, while the others continue. */
const someClients: Fault = {
  name: "F2 some clients partitioned",
  topologies: EVERYWHERE,
  loses: false,
  async inject(arena): Promise<Details> {
    const workers = arena.fleet.of("worker").map(({ name }) => name);
    const partitioned = workers.filter((_, i) => i === 0 || happens(arena.random, 30));
    const result = await partition(arena, (name) => partitioned.includes(name), 900);
    return { ...result, partitioned: [...partitioned] };
  },
};

/** Recognizes clients. Sentinels and replicas have other names, or none. */
function isClient({ fleet, timed }: Arena, name: string): boolean {
  return (
    name.startsWith("latchkey-") || [...fleet.processes, ...timed.processes].some((one) => one.name === name)
  );
}

/** Lists the partitions between clients and servers. */
export const networkPartitions: readonly Fault[] = [allClients, someClients];
