import type { JsonValue } from "latchkey";
import type { ClientProcess, Fleet, TimedRole } from "./fleet/fleet.js";
import type { DurabilityLevel } from "./history/records.js";
import type { HistoryWriter } from "./history/writer.js";
import type { MachineKeys } from "./machines/keys.js";
import type { OnCopy } from "./proxy/copies.js";
import type { NodeProxy } from "./proxy/proxy.js";
import type { Random } from "./random.js";
import type { LogTrimmer } from "./run/log-trimmer.js";
import type { ServerNode, Servers } from "./servers/servers.js";

/**
 * Names the servers of a run: one server, a primary with two replicas and three Sentinels, or a cluster of three primaries
 * with a replica each.
 */
export type Topology = "standalone" | "sentinel" | "cluster";

/** All topologies, for faults that every one of them has. */
export const EVERYWHERE: readonly Topology[] = ["standalone", "sentinel", "cluster"];

/** Holds what an injection measured, chose and checked. It is written to the history. */
export type Details = Readonly<Record<string, JsonValue>>;

/** Describes what a fault may lose, as the servers' settings permit: the `loss` of the history's first line. */
export interface Loss {
  /** Longest time from a lost change to the fault, in ms; null for any time. */
  readonly windowMs: number | null;
  /** Durabilities whose acknowledged changes must survive. */
  readonly spares?: readonly DurabilityLevel[];
}

/** Describes one kind of fault. */
export interface Fault {
  /** Its number in the list of faults and its effect, such as `F1 reply dropped`. */
  readonly name: string;
  readonly topologies: readonly Topology[];
  /** False if it must not lose acknowledged changes; true if it may lose any; else what it may lose. */
  readonly loses: boolean | Loss;
  /** True if it sets a server's clock. A server whose clock is set forward fires timers early. */
  readonly setsClock?: boolean;
  /**
   * Injects the fault once: begins it, keeps it for a random time under load, and repairs it. When it returns or throws,
   * servers run with their previous settings. The caller then waits until the clients continue.
   *
   * @throws VoidInjection if it overlapped no calls. It is counted and repeated.
   * @throws Violation if it saw a broken guarantee. The run fails.
   */
  inject(arena: Arena): Promise<Details>;
}

/** Thrown by an injection that had no effect. It proves nothing and is repeated. */
export class VoidInjection extends Error {
  override readonly name = "VoidInjection";
}

/** Thrown if an injection saw a broken guarantee that the checkers cannot read from the history. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** Thrown if a fault is unavailable here (no C compiler, no permission to mount). The summary reports it. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}

/** Provides what a fault may use. */
export interface Arena {
  readonly topology: Topology;
  /** Seeded for this injection. Every choice must come from it. */
  readonly random: Random;
  /** Number of injections of this fault that are still planned, including this one. */
  readonly injectionsLeft: number;
  readonly servers: Servers;
  /** Returns the primary of a random partition of the clients. */
  primary(): Promise<ServerNode>;
  /** One proxy per data node. All clients of latchkey connect through them. */
  readonly proxies: readonly NodeProxy[];
  /** The client processes. */
  readonly fleet: Fleet;
  /** The timed clients: holders, sweepers and replicas of a reaction. */
  readonly timed: Pick<Fleet, "processes"> & { of(role: TimedRole): readonly ClientProcess[] };
  /** Trims the event log, and records the entries that it removes. */
  readonly logTrimmer: LogTrimmer;
  /** Records calls that a fault itself makes on the clients' machine, because every change must have been requested. */
  readonly history: HistoryWriter;
  /** Records the copies of requests that a proxy or a fault delivers. */
  readonly onCopy: OnCopy;
  /** A folder for temporary files, removed at the end of the run. */
  readonly folder: string;
  /** The namespace and the machine of the clients. */
  readonly keys: MachineKeys;
  /** Prints a line for the person who watches the run. */
  log(line: string): void;
  /** Waits for a random number of milliseconds from `least` to `most`, and returns it. */
  waitBetween(least: number, most: number): Promise<number>;
  /**
   * Runs `body` and checks that it overlapped calls: those in flight when it began, and those that began since.
   *
   * @param least minimum number of calls. It waits for them after `body`, so return while the fault still lasts.
   * @throws VoidInjection if there were fewer.
   */
  withOverlap<T>(
    least: number,
    body: () => Promise<T>,
  ): Promise<{ readonly result: T; readonly overlap: number }>;
  /** Waits until every client process has received replies to new calls. */
  awaitRecovery(): Promise<void>;
}
