import { setTimeout as pause } from "node:timers/promises";
import { type Details, type Fault, Violation, VoidInjection } from "../fault.js";
import type { ClientProcess, TimedRole } from "../fleet/fleet.js";

const WAIT_MS = 20_000;
const LOOK_MS = 2;
/** Longer than a lease and than a replica may be silent, at times. */
const LONGEST_FROZEN_MS = 5_000;

async function until(isSo: () => boolean): Promise<boolean> {
  const end = performance.now() + WAIT_MS;
  while (!isSo()) {
    if (performance.now() > end) return false;
    await pause(LOOK_MS);
  }
  return true;
}

/** What each is called, what it is to do before it is hit, and its number in the list of faults. */
const KINDS: readonly {
  readonly number: string;
  readonly name: string;
  readonly role: TimedRole;
  /** Whether it is hit in the midst of something. */
  readonly inTheMidst: boolean;
}[] = [
  { number: "F25", name: "holder", role: "holder", inTheMidst: false },
  { number: "F26", name: "sweeper", role: "sweeper", inTheMidst: false },
  { number: "F27", name: "replica of a reaction", role: "reactor", inTheMidst: true },
];

async function isHit(victim: ClientProcess, inTheMidst: boolean): Promise<boolean> {
  if (!inTheMidst) {
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

/** One of them is killed, or stands still, and comes back; the others do its work meanwhile. */
export const timedFaults: readonly Fault[] = KINDS.flatMap(({ number, name, role, inTheMidst }) =>
  (["killed", "frozen"] as const).map(
    (how): Fault => ({
      name: `${number} ${name} ${how}`,
      topologies: ["standalone", "sentinel"],
      loses: false,
      async inject({ timed, random, hold }): Promise<Details> {
        const victim = random.of(timed.of(role).filter(({ isRunning }) => isRunning));
        if (!(await isHit(victim, inTheMidst))) throw new VoidInjection(`${victim.name} did nothing`);
        let awayMs: number;
        if (how === "killed") {
          await victim.kill9();
          awayMs = await hold(0, 500);
          await victim.restart();
        } else {
          victim.stop();
          try {
            awayMs = await hold(200, LONGEST_FROZEN_MS);
          } finally {
            victim.cont();
          }
        }
        const { ended } = victim.progress;
        if (!(await until(() => victim.progress.ended > ended))) {
          throw new Violation(`${victim.name} does nothing any more since it was ${how}`);
        }
        return { victim: victim.name, awayMs };
      },
    }),
  ),
);
