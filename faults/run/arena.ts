import { setTimeout as pause } from "node:timers/promises";
import { type Arena, Violation, VoidInjection } from "../fault.js";
import type { ClientFleet } from "../fleet/client-fleet.js";
import type { TimedFleet } from "../fleet/timed-fleet.js";
import { type HistoryWriter, monotonicMs } from "../history/writer.js";
import type { NodeProxy } from "../proxy/proxy.js";
import { randomFor } from "../random.js";
import type { Servers } from "../servers/servers.js";
import type { TrimmedLog } from "./log-trimmer.js";

const LOOK_MS = 5;
/** How long a fault is kept on, at most, until it has met enough calls. */
const MEETING_MS = 4_000;
/** How long clients may take to go on once a fault is healed. */
const SETTLING_MS = 30_000;

/** What all injections of a run share. */
export interface Ground {
  readonly servers: Servers;
  readonly proxies: readonly NodeProxy[];
  readonly fleet: ClientFleet;
  readonly timed: TimedFleet;
  readonly trimmed: TrimmedLog;
  readonly history: HistoryWriter;
  readonly folder: string;
  readonly namespace: string;
  readonly machine: string;
  readonly log: (line: string) => void;
}

/** Which injection of a run it is: counted from 0, as its attempts are, and how many of its fault are still planned. */
export interface Turn {
  readonly seed: number;
  readonly injection: number;
  readonly attempt: number;
  readonly injectionsLeft: number;
}

/** The arena of one injection. */
export function arenaOf(ground: Ground, { seed, injection, attempt, injectionsLeft }: Turn): Arena {
  const { fleet, servers } = ground;
  const random = randomFor(seed, "injection", injection, attempt);
  return {
    ...ground,
    topology: servers.topology,
    random,
    injectionsLeft,
    hold: async (least, most) => {
      const ms = least + random.below(most - least + 1);
      await pause(ms);
      return ms;
    },
    overlapping: async (least, body) => {
      const before = await fleet.probe();
      const result = await body();
      const until = monotonicMs() + MEETING_MS;
      while (fleet.progress.begun - before.begun < least && monotonicMs() < until) await pause(LOOK_MS);
      const met = fleet.progress.begun - before.begun;
      if (met < least) throw new VoidInjection(`it met ${met} calls, of ${least} that it should`);
      return { result, met };
    },
    settled: () => settled(fleet),
  };
}

/** Waits until each process that runs has been answered something asked for from now on. */
async function settled(fleet: ClientFleet): Promise<void> {
  const running = fleet.processes.filter((one) => one.isRunning && !one.isStopped);
  const before = await Promise.all(running.map((one) => one.probe()));
  const until = monotonicMs() + SETTLING_MS;
  // One call that was under way already may be answered late, so one more than that.
  const waiting = (): string[] =>
    running.flatMap((one, i) => {
      const inFlight = (before[i]?.begun ?? 0) - (before[i]?.ended ?? 0);
      return one.progress.answered > (before[i]?.answered ?? 0) + inFlight ? [] : [one.name];
    });
  while (waiting().length > 0) {
    if (monotonicMs() > until) {
      throw new Violation(`${waiting().join(", ")} did not go on within ${SETTLING_MS / 1000} s`);
    }
    await pause(LOOK_MS);
  }
}
