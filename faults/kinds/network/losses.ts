import { type Arena, type Details, type Fault, VoidInjection } from "../../fault.js";
import type { Hits, NodeProxy, Treatment } from "../../proxy/proxy.js";

const LEAST_MET = 50;

/** What the proxies did since, by kind; those kinds alone that were asked for. */
function hitsSince(before: readonly Hits[], proxies: readonly NodeProxy[], kind: keyof Hits): number {
  return proxies.reduce((sum, { hits }, i) => sum + hits[kind] - (before[i]?.[kind] ?? 0), 0);
}

/** Treats the connections of all clients for a while. */
async function treated(
  arena: Arena,
  treatment: Treatment,
  least: number,
): Promise<{ overlap: number; durationMs: number }> {
  const { proxies, random } = arena;
  try {
    const { result, overlap } = await arena.withOverlap(least, () => {
      for (const proxy of proxies) proxy.treat(treatment, random.below(2 ** 31));
      return arena.waitBetween(100, 700);
    });
    return { overlap, durationMs: result };
  } finally {
    for (const proxy of proxies) proxy.heal();
  }
}

/** A fault that strikes a share of the requests or replies, from 1 to `most` in a hundred. */
function striking(name: string, kind: keyof Hits, most: number): Fault {
  return {
    name,
    topologies: ["standalone", "sentinel"],
    loses: false,
    async inject(arena): Promise<Details> {
      const before = arena.proxies.map(({ hits }) => ({ ...hits }));
      const percent = 1 + arena.random.below(most);
      const told = await treated(arena, { [kind]: percent / 100 }, LEAST_MET);
      const struck = hitsSince(before, arena.proxies, kind);
      if (struck === 0) throw new VoidInjection(`${told.overlap} calls passed unharmed`);
      return { percent, struck, ...told };
    },
  };
}

/** Slow in both directions, and nothing lost. */
function slow(name: string, treatmentOf: (arena: Arena) => Treatment): Fault {
  return {
    name,
    topologies: ["standalone", "sentinel"],
    loses: false,
    async inject(arena): Promise<Details> {
      const treatment = treatmentOf(arena);
      return { ...treatment, ...(await treated(arena, treatment, LEAST_MET)) };
    },
  };
}

/** What happens to bytes on their way. */
export const networkLosses: readonly Fault[] = [
  striking("F1 reply dropped after execution", "dropReply", 30),
  striking("F2 request dropped", "dropRequest", 30),
  striking("F2 connection reset in mid-request", "resetMidRequest", 30),
  striking("F2 connection reset in mid-reply", "resetMidReply", 30),
  striking("F2 half-open connection", "blackhole", 5),
  striking("F2 request delivered twice", "duplicate", 60),
  slow("F2 delay", ({ random }) => ({ delayMs: 5 + random.below(60) })),
  slow("F2 slow drip", ({ random }) => ({ dripBytes: 40 + random.below(200) })),
];
