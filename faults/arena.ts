import type { Topology } from "./fault.js";
import type { ClientProcess, Fleet, TimedRole } from "./fleet/fleet.js";
import type { HistoryWriter } from "./history.js";
import type { NodeProxy } from "./proxy/proxy.js";
import type { Random } from "./random.js";
import type { TrimmedLog } from "./run/trimmed.js";
import type { Servers } from "./servers/servers.js";

/** What a fault may use. */
export interface Arena {
  readonly topology: Topology;
  /** Seeded for this very injection: take every choice from it. */
  readonly random: Random;
  /** How many injections of this fault the run has still planned, this one among them. */
  readonly injectionsLeft: number;
  readonly servers: Servers;
  /** One in front of each data node, in the order of `servers.nodes`. All clients of latchkey go through them. */
  readonly proxies: readonly NodeProxy[];
  /** The processes of the clients. */
  readonly fleet: Fleet;
  /** Those that live by time: holders, sweepers and replicas of a reaction. */
  readonly timed: Pick<Fleet, "processes"> & { of(role: TimedRole): readonly ClientProcess[] };
  /** Cuts away the beginning of the event log, for the history to know of. */
  readonly trimmed: TrimmedLog;
  /** Where calls are written down that a fault itself makes on the clients' machine: every change must have been asked for. */
  readonly history: HistoryWriter;
  /** A folder of this run for temporary files; removed at the end. */
  readonly folder: string;
  /** The namespace and the machine that the clients work on. */
  readonly namespace: string;
  readonly machine: string;
  /** A line for whoever watches the run. */
  log(line: string): void;
  /** Lets a fault last: a seeded number of milliseconds from `least` to `most`. Resolves to it. */
  hold(least: number, most: number): Promise<number>;
  /**
   * Runs `body` and makes sure that it met calls in flight: those under way when it began, and those begun since.
   *
   * @param least how many at least; waits after `body` no longer than it lasted, so end with the fault still on
   * @throws VoidInjection when there were fewer.
   */
  overlapping<T>(
    least: number,
    body: () => Promise<T>,
  ): Promise<{ readonly result: T; readonly met: number }>;
  /** Waits until every client process has ended further calls with an answer of the server: the run goes on. */
  settled(): Promise<void>;
}
