import { setTimeout as pause } from "node:timers/promises";
import { type Arena, Violation, VoidInjection } from "../fault.js";
import type { ClientFleet } from "../fleet/client-fleet.js";
import type { TimedFleet } from "../fleet/timed-fleet.js";
import { type HistoryWriter, monotonicMs } from "../history/writer.js";
import type { MachineKeys } from "../machines/keys.js";
import type { OnCopy } from "../proxy/copies.js";
import type { NodeProxy } from "../proxy/proxy.js";
import { randomFor } from "../random.js";
import type { Servers } from "../servers/servers.js";
import type { LogTrimmer } from "./log-trimmer.js";

const LOOK_MS = 5;
/** Longest time that a fault is kept on until it has overlapped enough calls. */
const OVERLAP_MS = 4_000;
/** Longest time that clients may need to continue after a fault. */
const RECOVERY_MS = 30_000;

/** Holds what all injections of a run share. */
export interface RunContext {
  readonly servers: Servers;
  readonly proxies: readonly NodeProxy[];
  readonly fleet: ClientFleet;
  readonly timed: TimedFleet;
  readonly logTrimmer: LogTrimmer;
  readonly history: HistoryWriter;
  readonly onCopy: OnCopy;
  readonly folder: string;
  readonly keys: MachineKeys;
  readonly log: (line: string) => void;
}

/** Identifies one attempt of an injection: both count from 0. `injectionsLeft` counts those of the same fault. */
export interface InjectionPlan {
  readonly seed: number;
  readonly injection: number;
  readonly attempt: number;
  readonly injectionsLeft: number;
}

/** Makes the arena of one injection. */
export function arenaOf(
  context: RunContext,
  { seed, injection, attempt, injectionsLeft }: InjectionPlan,
): Arena {
  const { fleet, servers, keys } = context;
  const random = randomFor(seed, "injection", injection, attempt);
  return {
    ...context,
    topology: servers.topology,
    random,
    injectionsLeft,
    primary: () => servers.primary(keys.prefix(random.below(keys.partitions))),
    waitBetween: async (least, most) => {
      const ms = least + random.below(most - least + 1);
      await pause(ms);
      return ms;
    },
    withOverlap: async (least, body) => {
      const before = await fleet.probe();
      const result = await body();
      const until = monotonicMs() + OVERLAP_MS;
      while (fleet.progress.begun - before.begun < least && monotonicMs() < until) await pause(LOOK_MS);
      const overlap = fleet.progress.begun - before.begun;
      if (overlap < least)
        throw new VoidInjection(`it overlapped ${overlap} calls; at least ${least} are required`);
      return { result, overlap };
    },
    awaitRecovery: () => awaitRecovery(fleet),
  };
}

/** Waits until each running process has received a reply to a new call. */
async function awaitRecovery(fleet: ClientFleet): Promise<void> {
  const running = fleet.processes.filter((one) => one.isRunning && !one.isStopped);
  const before = await Promise.all(running.map((one) => one.probe()));
  const until = monotonicMs() + RECOVERY_MS;
  // A call that was already in flight may get its reply now, so one more is required.
  const waiting = (): string[] =>
    running.flatMap((one, i) => {
      const inFlight = (before[i]?.begun ?? 0) - (before[i]?.ended ?? 0);
      return one.progress.answered > (before[i]?.answered ?? 0) + inFlight ? [] : [one.name];
    });
  while (waiting().length > 0) {
    if (monotonicMs() > until) {
      throw new Violation(`${waiting().join(", ")} did not continue within ${RECOVERY_MS / 1000} s`);
    }
    await pause(LOOK_MS);
  }
}
