import { type Arena, type Details, EVERYWHERE, type Fault } from "../../fault.js";
import type { Random } from "../../random.js";
import type { ServerNode } from "../../servers/servers.js";

const LEAST_MET = 50;
const SECOND_MS = 1_000;
const HOUR_MS = 3_600 * SECOND_MS;
const DAY_MS = 24 * HOUR_MS;

/** Chooses by how much a clock is set: up to 10 s, about half a minute, an hour or a day. */
export function sizeOfJump(random: Random): number {
  return random.of([random.below(10 * SECOND_MS + 1), 30 * SECOND_MS, HOUR_MS, DAY_MS]);
}

/**
 * Sets a clock to each offset for a while, and corrects it at the end. A node of a cluster whose clock was ahead notices no
 * failure of others until that time has come, so it is restarted.
 */
export async function setClocks(
  { waitBetween, servers }: Pick<Arena, "waitBetween" | "servers">,
  node: ServerNode,
  offsetsMs: readonly number[],
): Promise<void> {
  try {
    for (const offsetMs of offsetsMs) {
      await node.setClock(offsetMs);
      await waitBetween(50, 400);
    }
  } finally {
    await node.setClock(0);
    if (servers.topology === "cluster" && offsetsMs.some((offsetMs) => offsetMs > 0)) await node.restart();
  }
}

/** Returns offsets of a day forward and back, each followed by the correct time. */
export function dayOffsets(random: Random): number[] {
  const [first, second] = random.below(2) === 0 ? [DAY_MS, -DAY_MS] : [-DAY_MS, DAY_MS];
  return [first, 0, second, 0];
}

function clockFault(name: string, offsetsOf: (random: Random) => readonly number[]): Fault {
  return {
    name,
    topologies: EVERYWHERE,
    loses: false,
    setsClock: true,
    async inject(arena): Promise<Details> {
      const node = await arena.primary();
      const offsetsMs = offsetsOf(arena.random);
      const { overlap } = await arena.withOverlap(LEAST_MET, () => setClocks(arena, node, offsetsMs));
      return { overlap, offsetsMs: [...offsetsMs] };
    },
  };
}

/** Lists the faults that set the primary's clock. */
export const clockFaults: readonly Fault[] = [
  clockFault("F16 clock jumps", (random) =>
    Array.from({ length: 1 + random.below(4) }, () => sizeOfJump(random) * (random.below(2) === 0 ? 1 : -1)),
  ),
  clockFault("F16 clock set by a day, and back", dayOffsets),
];
