import { setTimeout as pause } from "node:timers/promises";
import {
  checkDuration,
  checkFlag,
  checkFunctions,
  checkOptions,
  checkSignal,
  checkWhole,
} from "../contract/arguments.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import type { Duration } from "../machine/duration.js";
import { needMachine } from "../reads/installed-machine.js";
import { ask } from "../valkey/ask.js";
import type { Connection } from "../valkey/connection.js";
import type { MachineLocation } from "../valkey/keys.js";
import { type NamespaceFacts, notedMachines, readFacts } from "../valkey/layout.js";
import { partitionsOf } from "./partition.js";
import { PartitionSweep, type Progress } from "./partition-sweep.js";
import { type SweepListeners, type SweepReport, SweepReporter } from "./report.js";

/** Options of a sweep. */
export interface SweepOptions extends SweepListeners {
  /** Ends the sweep when aborted, after the calls that have begun. */
  readonly signal?: AbortSignal;
  /** Time between two rounds. Each round varies it at random between half and one and a half. @default "1s" */
  readonly interval?: Duration;
  /** Number of entities per step, 1 to 1000. @default 100 */
  readonly batch?: number;
  /** Ends after one round and one walk through the whole index. @default false */
  readonly once?: boolean;
}

const OPTIONS: ReadonlySet<string> = new Set<keyof SweepOptions>([
  "signal",
  "interval",
  "batch",
  "once",
  "onChange",
  "onStuck",
  "onAway",
  "onBack",
]);

/** Limits the rest after a step, in ms. */
const MAX_REST_MS = 100;

/** Limits one wait, in ms: Node's timers overflow at 25 days, and a client may end without notice. */
const MAX_WAIT_MS = 1_000;

/** Replies that concern one command or key. After any other failure the round asks for nothing more. */
const LOCAL_REPLIES: ReadonlySet<string> = new Set(["NOPERM", "WRONGTYPE", "ERR", "DENIED", "CROSSSLOT"]);

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
  connection: Connection,
  location: MachineLocation,
  options: SweepOptions,
): Promise<SweepReport> {
  return new Sweep(connection, options, async () => {
    if (options.once === true) await needPartition(connection, location);
    return [location];
  }).run();
}

/**
 * Fires the expired timers of all machines of a namespace, those that are installed later too. Otherwise as
 * {@link sweepMachine}.
 */
export async function sweepNamespace(
  connection: Connection,
  namespace: string,
  options: SweepOptions,
): Promise<SweepReport> {
  let facts: NamespaceFacts | undefined;
  return new Sweep(connection, options, async () => {
    const name = `sweep ${namespace}`;
    facts ??= await ask(connection, name, (client) => readFacts(client, namespace));
    if (facts === undefined) return [];
    const { partitions } = facts;
    const machines = await ask(connection, name, (client) => notedMachines(client, namespace));
    return machines.map((machine) => ({ namespace, machine, partitions }));
  }).run();
}

/** @throws ContractError with code NOMACHINE if no partition has the machine */
async function needPartition(connection: Connection, location: MachineLocation): Promise<void> {
  const counts = await ask(connection, `sweep ${location.machine}`, (client) =>
    Promise.all(partitionsOf(connection, location).map(({ keys }) => client.exists(keys.machine))),
  );
  if (!counts.includes(1)) await needMachine(connection, location, "sweep");
}

/**
 * Sweeps in rounds. In each round the partitions of all machines take turns, one batch each. After each step the sweep
 * rests for as long as the step took, unless it is late, so that it uses at most half of the server's time.
 */
class Sweep {
  readonly #connection: Connection;
  readonly #findMachines: () => Promise<readonly MachineLocation[]>;
  readonly #reporter: SweepReporter;
  readonly #intervalMs: number;
  readonly #batch: number;
  readonly #once: boolean;
  readonly #signal: AbortSignal | undefined;
  readonly #closing = new AbortController();
  readonly #machines = new Map<string, readonly PartitionSweep[]>();
  #round = 0;
  #failure: unknown;

  constructor(
    connection: Connection,
    options: SweepOptions,
    findMachines: () => Promise<readonly MachineLocation[]>,
  ) {
    checkOptions(options, OPTIONS);
    const { interval = "1s", batch = 100, once = false, signal, ...listeners } = options;
    checkSignal(signal);
    checkFlag("once", once);
    checkFunctions(listeners);
    this.#connection = connection;
    this.#findMachines = findMachines;
    this.#reporter = new SweepReporter(listeners, connection.logger);
    this.#intervalMs = checkDuration("interval", interval);
    this.#batch = checkWhole("batch", batch, 1, 1000);
    this.#once = once;
    this.#signal = signal;
  }

  async run(): Promise<SweepReport> {
    const forget = this.#connection.beforeClose(async () => this.#closing.abort());
    // One signal of the caller may end any number of sweeps, without a listener for each.
    const signals = [this.#closing.signal, ...(this.#signal === undefined ? [] : [this.#signal])];
    const stop = AbortSignal.any(signals);
    try {
      while (!this.#isStopped) {
        const isLate = await this.#runRound();
        if (this.#failure !== undefined) throw this.#failure;
        if (this.#once) break;
        if (!this.#isStopped) this.#reporter.endRound();
        if (!isLate) await this.#wait(this.#intervalMs * (0.5 + Math.random()), stop);
      }
    } finally {
      forget();
    }
    return this.#reporter.report;
  }

  /** A closed connection does not end a sweep with `once`, but fails it. */
  get #isStopped(): boolean {
    if (this.#signal?.aborted === true) return true;
    return (this.#connection.isClosed || this.#closing.signal.aborted) && !this.#once;
  }

  /** @returns whether timers that have been due for long are left */
  async #runRound(): Promise<boolean> {
    let machines: readonly (readonly PartitionSweep[])[];
    try {
      machines = (await this.#findMachines()).map((location) => this.#partitionsOf(location));
    } catch (error) {
      this.#fail(error);
      return false;
    }
    const all = machines.flat();
    // A backlog is left after some time, for timers of machines that came meanwhile.
    const until = this.#once ? Number.POSITIVE_INFINITY : performance.now() + this.#intervalMs;
    const fired = await this.#takeTurns(all, (partition) => partition.fire(), until);
    if (fired === "failed") return false;
    if (this.#once) {
      await this.#takeTurns(all, (partition) => partition.audit(), until);
    } else if ((await this.#takeTurns(all, (partition) => partition.retry(), until)) !== "failed") {
      // One step in one partition of each machine.
      const audited = machines.flatMap((own) => own[this.#round % own.length] ?? []);
      await this.#takeTurns(audited, (partition) => partition.audit(), 0);
    }
    this.#round += 1;
    const rejection = all.find((partition) => partition.rejection !== undefined)?.rejection;
    if (rejection !== undefined) this.#fail(rejection);
    return fired === "late";
  }

  #partitionsOf(location: MachineLocation): readonly PartitionSweep[] {
    const known = this.#machines.get(location.machine);
    if (known !== undefined) return known;
    const partitions = partitionsOf(this.#connection, location).map(
      (partition) => new PartitionSweep(partition, this.#batch, this.#reporter),
    );
    this.#machines.set(location.machine, partitions);
    return partitions;
  }

  /**
   * Lets each partition take a step, and again, until all have ended or failed, or the time is up.
   *
   * @param until by `performance.now()`; each partition takes at least one step
   */
  async #takeTurns(
    partitions: readonly PartitionSweep[],
    step: (partition: PartitionSweep) => Promise<Progress>,
    until: number,
  ): Promise<"done" | "late" | "failed"> {
    let waiting = partitions;
    do {
      const next: PartitionSweep[] = [];
      for (const partition of waiting) {
        if (this.#isStopped) return "late";
        const began = performance.now();
        try {
          const progress = await step(partition);
          if (progress !== "end") next.push(partition);
          if (progress === "more") await pause(Math.min(performance.now() - began, MAX_REST_MS));
        } catch (error) {
          if (this.#fail(error)) return "failed";
        }
      }
      waiting = next;
    } while (waiting.length > 0 && performance.now() < until);
    return waiting.length === 0 ? "done" : "late";
  }

  /**
   * Reports a failure that a retry may not have, and keeps any other one: it ends the sweep after the round.
   *
   * @returns whether the round asks for nothing more
   */
  #fail(error: unknown): boolean {
    if (!this.#once && this.#connection.isClosed) return true;
    if (this.#once || !(error instanceof NotExecutedError) || this.#connection.client.status === "end")
      this.#failure ??= error;
    else this.#reporter.addFailure(error);
    return !(error instanceof NotExecutedError && LOCAL_REPLIES.has(error.reply));
  }

  async #wait(ms: number, stop: AbortSignal): Promise<void> {
    const until = performance.now() + ms;
    for (let leftMs = ms; leftMs > 0 && !this.#isStopped; leftMs = until - performance.now()) {
      if (this.#connection.client.status === "end") return;
      await pause(Math.min(leftMs, MAX_WAIT_MS), undefined, { signal: stop }).catch(() => {});
    }
  }
}
