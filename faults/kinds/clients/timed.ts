import { setTimeout as pause } from "node:timers/promises";
import { type Arena, type Details, EVERYWHERE, type Fault, Violation, VoidInjection } from "../../fault.js";
import type { ClientProcess, TimedRole } from "../../fleet/fleet.js";

const WAIT_MS = 20_000;
const LOOK_MS = 2;
const LONGEST_DOWN_MS = 500;
/** Mostly longer than a lease, and often longer than the silence after which a replica's events are reassigned. */
const [SHORTEST_MS, LONGEST_MS] = [1_500, 5_000];

async function until(isSo: () => boolean): Promise<boolean> {
  const end = performance.now() + WAIT_MS;
  while (!isSo()) {
    if (performance.now() > end) return false;
    await pause(LOOK_MS);
  }
  return true;
}

/** The roles, with their number in the list of faults. */
const KINDS: readonly {
  readonly number: string;
  readonly name: string;
  readonly role: TimedRole;
  /** True if it is hit while it works on something. */
  readonly isAtWork: boolean;
}[] = [
  { number: "F25", name: "holder", role: "holder", isAtWork: false },
  { number: "F26", name: "sweeper", role: "sweeper", isAtWork: false },
  { number: "F27", name: "replica of a reaction", role: "reactor", isAtWork: true },
];

async function isHit(victim: ClientProcess, isAtWork: boolean): Promise<boolean> {
  if (!isAtWork) {
    const { ended } = victim.progress;
    return until(() => victim.progress.ended > ended);
  }
  for (let look = 0; look < 2_000; look += 1) {
    const { begun, ended } = await victim.probe();
    if (begun > ended) return true;
    await pause(LOOK_MS);
  }
  return false;
}

/** Makes a client absent for a while. Each function returns how long, in ms. */
const WAYS: Readonly<Record<string, (victim: ClientProcess, arena: Arena) => Promise<number>>> = {
  killed: async (victim, { waitBetween }) => {
    await victim.kill9();
    const awayMs = await waitBetween(0, LONGEST_DOWN_MS);
    await victim.restart();
    return awayMs;
  },
  frozen: async (victim, { waitBetween }) => {
    victim.stop();
    try {
      return await waitBetween(SHORTEST_MS, LONGEST_MS);
    } finally {
      victim.cont();
    }
  },
  // It keeps running, and the other clients reach the servers.
  partitioned: async ({ name }, { proxies, random, waitBetween }) => {
    for (const proxy of proxies) {
      proxy.treat({ partition: true }, random.below(2 ** 31), (client) => client === name);
    }
    try {
      return await waitBetween(SHORTEST_MS, LONGEST_MS);
    } finally {
      for (const proxy of proxies) proxy.heal();
    }
  },
};

/** Lists the faults that make one timed client absent. The others do its work meanwhile. */
export const timedFaults: readonly Fault[] = KINDS.flatMap(({ number, name, role, isAtWork }) =>
  Object.entries(WAYS).map(
    ([way, away]): Fault => ({
      name: `${number} ${name} ${way}`,
      topologies: EVERYWHERE,
      loses: false,
      async inject(arena): Promise<Details> {
        const victim = arena.random.of(arena.timed.of(role).filter(({ isRunning }) => isRunning));
        if (!(await isHit(victim, isAtWork))) throw new VoidInjection(`${victim.name} did nothing`);
        const awayMs = await away(victim, arena);
        const { ended } = victim.progress;
        if (!(await until(() => victim.progress.ended > ended))) {
          throw new Violation(`${victim.name} did nothing after it was ${way}`);
        }
        return { victim: victim.name, awayMs };
      },
    }),
  ),
);
