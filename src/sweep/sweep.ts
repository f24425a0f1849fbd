import {
  checkDuration,
  checkFlag,
  checkFunctions,
  checkOptions,
  checkSignal,
  checkWhole,
} from "../contract/arguments.js";
import { ClosedError } from "../errors/closed-error.js";
import type { Duration } from "../machine/duration.js";
import { notInstalled, readMachineNames } from "../reads/installed-machine.js";
import { type Limits, unlessAborted } from "../valkey/ask.js";
import { askReachable, PATIENCE } from "../valkey/ask-each.js";
import type { Connection } from "../valkey/connection.js";
import { Deadline } from "../valkey/deadline.js";
import { allPartitionKeys, type MachineLocation } from "../valkey/keys.js";
import type { MachineStore, Recover } from "../valkey/machine-store.js";
import { pause, performance } from "../valkey/real-time.js";
import { isUnanswered, partitionsOf } from "./partition.js";
import { PartitionSweep } from "./partition-sweep.js";
import { type SweepListeners, type SweepReport, SweepReporter } from "./report.js";
import { byServer, sweepServer } from "./server-round.js";

/** Options of a sweep. */
export interface SweepOptions extends SweepListeners {
  /** Ends the sweep when aborted, after the calls that have begun. */
  readonly signal?: AbortSignal;
  /** Time between two rounds. Each round varies it at random between half and one and a half. @default "1s" */
  readonly interval?: Duration;
  /** Number of timers per batch, 1 to 1000. @default 100 */
  readonly batch?: number;
  /** Ends after one round and one walk through the whole index. @default false */
  readonly once?: boolean;
}

const OPTIONS: readonly (keyof SweepOptions)[] = [
  "signal",
  "interval",
  "batch",
  "once",
  "onChange",
  "onStuck",
  "onAway",
  "onBack",
];

/** Limits one wait, in ms: Node's timers overflow at 25 days, and a client may end without notice. */
const MAX_WAIT_MS = 1_000;

/**
 * Fires the expired timers of one machine, and gives entities that lack their deadline theirs. Runs in any number of
 * replicas at once, without lock or leader: the server decides for each entity.
 *
 * @throws ContractError with code BADARG for an invalid option; with `once` also with code NOMACHINE if the machine is
 * not installed.
 * @throws NotExecutedError with `once` if the server did not answer or rejected something, and if a client that the
 * caller passed in has ended.
 */
export async function sweepMachine(
  { connection, location, recover }: MachineStore,
  options: SweepOptions,
): Promise<SweepReport> {
  const find = async (): Promise<MachineLocation[]> => {
    if (options.once !== true) return [location];
    const keys = allPartitionKeys(location).map(({ machine }) => machine);
    const asked = askReachable(connection, keys, `sweep ${location.machine}`, (client, own) =>
      Promise.all(own.map((machine) => client.exists(machine))),
    );
    const { results } = await unlessAborted(asked, options.signal);
    if (![...results.values()].includes(1) && !(await recover?.())) throw notInstalled("sweep", location);
    return [location];
  };
  return new Sweep(connection, options, find, recover).run();
}

/** Checks the options of a sweep and fills in defaults. @throws ContractError if one is unknown or invalid */
export function checkSweep(options: SweepOptions) {
  checkOptions(options, OPTIONS);
  const { interval = "1s", batch = 100, once = false, signal, ...listeners } = options;
  checkSignal(signal);
  checkFlag("once", once);
  checkFunctions(listeners);
  const intervalMs = checkDuration("interval", interval);
  return { intervalMs, batch: checkWhole("batch", batch, 1, 1000), once, signal, listeners };
}

/** A namespace whose machines are swept. */
interface SweptNamespace {
  readonly place: Omit<MachineLocation, "machine">;
  /** Reads its facts; undefined while it is empty. */
  read(limits?: Limits): Promise<unknown>;
  location(machine: string): MachineLocation;
}

/**
 * Fires the expired timers of all machines of a namespace, those that are installed later too. Otherwise as
 * {@link sweepMachine}.
 */
export async function sweepNamespace(
  connection: Connection,
  namespace: SweptNamespace,
  options: SweepOptions,
): Promise<SweepReport> {
  // In a cluster the timers of the other servers do not wait for the one that knows the machines.
  const isPatient = !connection.isCluster || options.once === true;
  const limits = isPatient ? {} : { timeoutMs: MAX_WAIT_MS };
  return new Sweep(connection, options, async () => {
    if ((await namespace.read(limits)) === undefined) return [];
    const machines = await readMachineNames(connection, namespace.place, limits);
    return machines.map((machine) => namespace.location(machine));
  }).run();
}

/**
 * Sweeps in rounds. In each round the partitions of all machines take turns, one batch each; in a cluster, those of each
 * server by themselves. After each batch the sweep rests for as long as the batch took, so that it uses at most half of a
 * server's time.
 */
class Sweep {
  readonly #connection: Connection;
  readonly #findMachines: () => Promise<readonly MachineLocation[]>;
  readonly #recover: Recover | undefined;
  readonly #reporter: SweepReporter;
  readonly #intervalMs: number;
  readonly #batch: number;
  readonly #once: boolean;
  readonly #closing = new AbortController();
  /** Ends the sweep. With `once`, a closed connection fails it instead. */
  readonly #stop: AbortSignal;
  readonly #machines = new Map<string, readonly PartitionSweep[]>();
  #isFirstRound = true;

  constructor(
    connection: Connection,
    options: SweepOptions,
    findMachines: () => Promise<readonly MachineLocation[]>,
    recover?: Recover,
  ) {
    const { intervalMs, batch, once, signal, listeners } = checkSweep(options);
    this.#connection = connection;
    this.#findMachines = findMachines;
    this.#recover = recover;
    this.#reporter = new SweepReporter(listeners, connection.logger);
    this.#intervalMs = intervalMs;
    this.#batch = batch;
    this.#once = once;
    // One signal of the caller may end any number of sweeps, without a listener for each.
    this.#stop = AbortSignal.any([signal ?? [], once ? [] : this.#closing.signal].flat());
  }

  async run(): Promise<SweepReport> {
    if (this.#connection.isClosed) throw new ClosedError();
    const forget = this.#connection.beforeClose(async () => this.#closing.abort());
    try {
      while (!this.#stop.aborted) {
        const isDone = await this.#runRound().catch((error: unknown) => this.#fail(error));
        if (this.#once) break;
        if (isDone) await this.#wait(this.#intervalMs * (0.5 + Math.random()));
      }
    } finally {
      forget();
    }
    return this.#reporter.report;
  }

  /** Reports a failure that a later round may not have, and throws any other one. @returns true: the round has ended */
  #fail(error: unknown): true {
    if (this.#stop.aborted) return true;
    if (this.#connection.isEnded || !isUnanswered(error)) throw error;
    this.#reporter.endRound(error);
    if (this.#once) throw error;
    return true;
  }

  /** Runs a round, until its time is up. @returns whether all partitions have ended it */
  async #runRound(): Promise<boolean> {
    const { partitions, failure: unknownMachines } = await this.#findPartitions();
    if (this.#stop.aborted) return false;
    if (this.#isFirstRound && partitions.length > 0) {
      this.#isFirstRound = false;
      const deadline = Deadline.in(this.#connection.timeoutMs * PATIENCE);
      const reached = Promise.all(partitions.map((partition) => partition.untilReachable(deadline)));
      await unlessAborted(reached, this.#stop);
    }
    // In a cluster the timers of the other servers do not wait for one that is unreachable.
    const reachable = partitions.filter(({ server }) => server !== undefined);
    const offline = partitions.find((partition) => !reachable.includes(partition))?.offlineError;
    // A backlog is left after some time, for machines that were installed meanwhile.
    const until = this.#once ? Number.POSITIVE_INFINITY : performance.now() + this.#intervalMs;
    const limits = { once: this.#once, until, stop: this.#stop };
    const results = await Promise.all(byServer(reachable).map((some) => sweepServer(some, limits)));
    if (this.#stop.aborted) return false;
    const failed = results.find(({ failure }) => failure !== undefined);
    const rejection = partitions.find((partition) => partition.rejection !== undefined)?.rejection;
    const failure = failed?.failure ?? offline ?? unknownMachines ?? rejection;
    if (failure !== undefined) throw failure;
    this.#reporter.endRound();
    return results.every(({ isDone }) => isDone);
  }

  /** Lists the partitions of all machines; in a cluster, of the known ones if their server is unreachable. */
  async #findPartitions(): Promise<{ readonly partitions: readonly PartitionSweep[]; failure?: unknown }> {
    try {
      const partitions = (await this.#findMachines()).flatMap((location) => this.#partitionsOf(location));
      return { partitions };
    } catch (failure) {
      if (this.#once || !this.#connection.isCluster || !isUnanswered(failure)) throw failure;
      return { partitions: [...this.#machines.values()].flat(), failure };
    }
  }

  #partitionsOf(location: MachineLocation): readonly PartitionSweep[] {
    const known = this.#machines.get(location.machine);
    if (known !== undefined) return known;
    const partitions = partitionsOf(this.#connection, location).map(
      (partition) => new PartitionSweep(partition, this.#batch, this.#reporter, this.#recover),
    );
    this.#machines.set(location.machine, partitions);
    return partitions;
  }

  async #wait(ms: number): Promise<void> {
    const until = performance.now() + ms;
    while (!this.#stop.aborted && !this.#connection.isEnded && performance.now() < until) {
      const part = Math.min(until - performance.now(), MAX_WAIT_MS);
      await pause(part, undefined, { signal: this.#stop }).catch(() => {});
    }
  }
}
