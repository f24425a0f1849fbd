import type { JsonValue } from "latchkey";
import type { ClientProcess, Fleet, TimedRole } from "./fleet/fleet.js";
import type { DurabilityLevel } from "./history/records.js";
import type { HistoryWriter } from "./history/writer.js";
import type { NodeProxy } from "./proxy/proxy.js";
import type { Random } from "./random.js";
import type { LogTrimmer } from "./run/log-trimmer.js";
import type { Servers } from "./servers/servers.js";

/** What servers a run has: one, or a primary with two replicas and three Sentinels. */
export type Topology = "standalone" | "sentinel";

/** What an injection tells of itself; it goes into the history. Numbers measured, choices made, what was checked on the spot. */
export type Details = Readonly<Record<string, JsonValue>>;

/** What a fault may lose by what the servers promise: the `loss` of the history's first line. */
export interface Loss {
  /** How long before it begins a change may have been made and still be lost, in ms; null for any time. */
  readonly windowMs: number | null;
  /** Changes acknowledged with these are safe even so. */
  readonly spares?: readonly DurabilityLevel[];
}

/** One kind of fault. */
export interface Fault {
  /** Its number in the list of faults and what it does, such as `F1 reply dropped`. */
  readonly name: string;
  readonly topologies: readonly Topology[];
  /**
   * Whether the servers' settings, as they are during the fault, allow acknowledged changes to be lost by it; true
   * where that has no bounds.
   */
  readonly loses: boolean | Loss;
  /** True where it sets a server's clock back: what was told of its time before says less from then on. */
  readonly setsClockBack?: boolean;
  /**
   * Injects it once: begins, holds it for a seeded while under load, heals. When it returns (or throws), nothing of the
   * fault is left: servers run with the settings they had before. That the clients go on is then awaited by the caller.
   *
   * @throws VoidInjection when it did not overlap calls in flight: counted, and repeated.
   * @throws Violation when a promise was seen broken on the spot; the run fails.
   */
  inject(arena: Arena): Promise<Details>;
}

/** An injection that hit nothing: it proves nothing, and is repeated. */
export class VoidInjection extends Error {
  override readonly name = "VoidInjection";
}

/** A promise that was seen broken during an injection, beyond what the checkers read from the history. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** A fault that this machine can't have (no libfaketime, no right to mount): left out with a loud line, never silently. */
export class Unavailable extends Error {
  override readonly name = "Unavailable";
}

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
  readonly logTrimmer: LogTrimmer;
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
  waitBetween(least: number, most: number): Promise<number>;
  /**
   * Runs `body` and makes sure that it overlap calls in flight: those under way when it began, and those begun since.
   *
   * @param least how many at least; waits after `body` no longer than it lasted, so end with the fault still on
   * @throws VoidInjection when there were fewer.
   */
  withOverlap<T>(
    least: number,
    body: () => Promise<T>,
  ): Promise<{ readonly result: T; readonly overlap: number }>;
  /** Waits until every client process has ended further calls with an answer of the server: the run goes on. */
  awaitRecovery(): Promise<void>;
}
