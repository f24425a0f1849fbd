import { type Arena, type Details, EVERYWHERE, type Fault, VoidInjection } from "../../fault.js";
import type { Hits, NodeProxy, Treatment } from "../../proxy/proxy.js";

const LEAST_MET = 50;
/** Longest delays of a copy: within a call, within its timeout, and after it. */
export const COPIED_AFTER_MS: readonly number[] = [20, 400, 3_000];

/** Counts what the proxies have done since `before`, for one kind. */
function hitsSince(before: readonly Hits[], proxies: readonly NodeProxy[], kind: keyof Hits): number {
  return proxies.reduce((sum, { hits }, i) => sum + hits[kind] - (before[i]?.[kind] ?? 0), 0);
}

/** Applies a treatment to the connections of all clients for a while. */
export async function treat(
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

/** Makes a fault that affects a share of the requests or replies, from 1 to `most` percent. */
export function losing(
  name: string,
  kind: keyof Hits,
  most: number,
  more: (arena: Arena) => Treatment = () => ({}),
): Fault {
  return {
    name,
    topologies: EVERYWHERE,
    loses: false,
    async inject(arena): Promise<Details> {
      const before = arena.proxies.map(({ hits }) => ({ ...hits }));
      const percent = 1 + arena.random.below(most);
      const resending = { onCopy: arena.onCopy, longestMs: arena.random.of(COPIED_AFTER_MS) };
      const treatment = { [kind]: percent / 100, resending, ...more(arena) };
      const result = await treat(arena, treatment, LEAST_MET);
      const affected = hitsSince(before, arena.proxies, kind);
      if (affected === 0) throw new VoidInjection(`none of ${result.overlap} calls was affected`);
      return { percent, affected, ...result };
    },
  };
}

/** Makes a fault that slows both directions down and loses nothing. */
function slow(name: string, treatmentOf: (arena: Arena) => { readonly [name: string]: number }): Fault {
  return {
    name,
    topologies: EVERYWHERE,
    loses: false,
    async inject(arena): Promise<Details> {
      const treatment = treatmentOf(arena);
      return { ...treatment, ...(await treat(arena, treatment, LEAST_MET)) };
    },
  };
}

/** Lists the faults that lose, delay or duplicate bytes. */
export const networkLosses: readonly Fault[] = [
  losing("F1 reply dropped after execution", "dropReply", 30),
  losing("F2 request dropped", "dropRequest", 30),
  losing("F2 connection reset in mid-request", "resetMidRequest", 30),
  losing("F2 connection reset in mid-reply", "resetMidReply", 30),
  losing("F2 half-open connection", "blackhole", 5),
  losing("F2 request delivered twice", "duplicate", 60),
  slow("F2 delay", ({ random }) => ({ delayMs: 5 + random.below(60) })),
  slow("F2 slow drip", ({ random }) => ({ dripBytes: 40 + random.below(200) })),
];
