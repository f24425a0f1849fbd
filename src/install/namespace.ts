import type { Valkey } from "iovalkey";
import { LayoutError } from "../errors/layout-error.js";
import type { CompiledMachine } from "../machine/compiled.js";
import { countOverdue } from "../reads/overdue.js";
import { ask, isUnreachable, type Limits } from "../valkey/ask.js";
import { backoffMs } from "../valkey/backoff.js";
import type { Connection } from "../valkey/connection.js";
import { callListener } from "../valkey/failed-listener.js";
import { safeMessage } from "../valkey/failure.js";
import { type MachineLocation, machinesKey, metaKey } from "../valkey/keys.js";
import { CLUSTER_PARTITIONS, initialise, type NamespaceFacts, readFacts } from "../valkey/layout.js";
import { sendAll } from "../valkey/lean-command.js";
import type { MachineStore } from "../valkey/machine-store.js";
import type { ConnectionCheck } from "../valkey/readiness.js";
import { pause, performance } from "../valkey/real-time.js";
import { readRole, type ServerRole } from "../valkey/role.js";
import { readServerTime, timeMs } from "../valkey/server-clock.js";
import { findMachine, reinstall } from "./recovery.js";

/** Data that the server lost while this client used it. */
export interface DataLoss {
  readonly namespace: string;
  /** Names of the machines of this client that the server no longer had. Their entities are lost too. */
  readonly machines: readonly string[];
  /** True if the machines are installed again, without entities. */
  readonly isReinstalled: boolean;
}

/** Options for the case that the server loses its data. */
export interface LossOptions {
  /** Installs the machines of this client again if the server has lost them. @default true */
  readonly reinstall?: boolean;
  /**
   * Called once for each loss, after the reinstallation. Create the entities again, or restore a backup. The loss is
   * noticed by a call, a reconnection, a sweep, a reaction, or a reader of the event log that had read events. A client
   * that does nothing, or only subscribes, does not notice it.
   * @default a warning of the logger, which is written in any case
   */
  readonly onDataLoss?: (loss: DataLoss) => void;
}

/** Result of a `ping`. */
export interface Ping {
  /** URL of the server, without credentials. */
  readonly address: string;
  /** Time from the request to the reply in ms. The wait for a connection and failed attempts do not count. */
  readonly latencyMs: number;
  /** Time of the server's clock in ms. */
  readonly serverTimeMs: number;
  /** Role of the server. Changes need the primary. */
  readonly role: ServerRole;
}

/** Pauses before a recovery is repeated. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 10_000;

/**
 * The facts of a namespace, which every client of it shares, and the machines that this client uses. Notices if the
 * server has other facts than before, or has lost a machine.
 */
export class Namespace {
  readonly name: string;
  readonly #connection: Connection;
  readonly #options: LossOptions;
  readonly #machines = new Map<string, CompiledMachine>();
  /** Machines that all partitions are known to have had. */
  readonly #everywhere = new Set<string>();
  /** Machines whose loss is reported, and that are not back yet. */
  readonly #reported = new Set<string>();
  #facts: NamespaceFacts | undefined;
  /** True while a recovery is repeated in the background. */
  #isRecovering = false;
  #recovery: Promise<ReadonlySet<string>> | undefined;
  /** End of the last recovery, by `performance.now()`. */
  #recoveredAt = Number.NEGATIVE_INFINITY;

  constructor(connection: Connection, name: string, options: LossOptions) {
    this.name = name;
    this.#connection = connection;
    this.#options = options;
    connection.guard((...server) => this.#checkServer(...server));
  }

  /** The facts; undefined while the namespace is empty. */
  get facts(): NamespaceFacts | undefined {
    return this.#facts;
  }

  /** Reads the facts once; undefined while the namespace is empty. @throws LayoutError */
  async read(limits: Limits = {}): Promise<NamespaceFacts | undefined> {
    return this.#facts ?? this.#readAgain(limits);
  }

  /** Sets the number of partitions, 1 or in a cluster 64, if the namespace is empty. @returns the facts that it has */
  async initialise(partitions = this.#usualPartitions): Promise<NamespaceFacts> {
    const set = (client: Valkey) => initialise(client, this.name, partitions);
    const facts = await ask(this.#connection, `init ${this.name}`, set);
    this.#learn(facts);
    return facts;
  }

  /** Asks the server for its time and for the facts: a server that still loads its data answers TIME alone. */
  async ping(limits: Limits): Promise<Ping> {
    const { address } = this.#connection;
    return this.#ask("ping", limits, async (client) => {
      const before = performance.now();
      const [time, role] = await Promise.all([client.time(), readRole(client), this.#connection.verify()]);
      return { address, latencyMs: performance.now() - before, serverTimeMs: timeMs(time), role };
    });
  }

  #readAgain(limits: Limits = {}): Promise<NamespaceFacts | undefined> {
    const read = async (client: Valkey) => this.#learn(await readFacts(client, this.name));
    return this.#ask(`namespace ${this.name}`, limits, read);
  }

  /** Asks the server. If other facts are found, rejects all further calls. */
  #ask<T>(what: string, limits: Limits, question: (client: Valkey) => Promise<T>): Promise<T> {
    return ask(this.#connection, what, question, limits).catch((error: unknown) => {
      if (error instanceof LayoutError) this.#connection.fail(error);
      throw error;
    });
  }

  /** Number of partitions of a namespace that is created without one, or again. */
  get #usualPartitions(): number {
    return this.#facts?.partitions ?? (this.#connection.isCluster ? CLUSTER_PARTITIONS : 1);
  }

  /** Name and number of partitions: those that it has, or would be created with. */
  get place(): Omit<MachineLocation, "machine"> {
    return { namespace: this.name, partitions: this.#usualPartitions };
  }

  location(machine: string): MachineLocation {
    return { ...this.place, machine };
  }

  /** Makes the store of a machine. Pass it to `add` if it is installed. */
  store(definition: CompiledMachine): MachineStore {
    const { name } = definition;
    const recover = async (): Promise<boolean> => (await this.#recover(name)).has(name);
    return { connection: this.#connection, location: this.location(name), definition, recover };
  }

  /** Counts the overdue timers of each machine that this client uses. */
  async countOverdue(limits: Limits): Promise<Record<string, number>> {
    const { nowMs } = await this.#ask("overdue timers", limits, readServerTime);
    const counts = [...this.#machines.keys()].map(
      async (name) =>
        [name, await countOverdue(this.#connection, this.location(name), nowMs, limits)] as const,
    );
    return Object.fromEntries(await Promise.all(counts));
  }

  /**
   * Adds an installed machine to those that are installed again if the server loses them.
   *
   * @param isEverywhere true if all partitions are known to have it
   */
  add(store: MachineStore, isEverywhere = false): MachineStore {
    const { definition } = store;
    if (isEverywhere) this.#everywhere.add(definition.name);
    const known = this.#machines.get(definition.name);
    if (known === undefined || known.version < definition.version)
      this.#machines.set(definition.name, definition);
    this.noteInstalled(definition.name);
    return store;
  }

  /** Notes that a machine is installed: its next loss is reported again. */
  noteInstalled(machine: string): void {
    this.#reported.delete(machine);
  }

  /** Keeps the facts. @throws LayoutError if they differ from those that this client works with */
  #learn(facts: NamespaceFacts | undefined): NamespaceFacts | undefined {
    const { partitions } = this.#facts ?? facts ?? {};
    if (facts !== undefined && facts.partitions !== partitions) {
      throw new LayoutError(
        `namespace "${this.name}" has ${facts.partitions} partitions now, and had ${partitions}: it was deleted and created anew; connect again`,
      );
    }
    this.#facts ??= facts;
    return facts;
  }

  /** Checks a server, that of a new connection before it gets a call. Recovers lost machines in the background. */
  async #checkServer(...[client, holds, isNew]: Parameters<ConnectionCheck>): Promise<void> {
    if (holds(metaKey(this.name))) this.#learn(await readFacts(client, this.name));
    const partitions = this.#facts?.partitions ?? 1;
    const names = [...this.#machines.keys()];
    if (names.length === 0) return;
    const all = Array.from({ length: partitions }, (_, at) => machinesKey(this.name, at)).filter(holds);
    // A server that has lost data has lost all of it, so one partition shows that. An interrupted apply can have reached some.
    const keys = isNew ? all : all.slice(0, 1);
    if (keys.length === 0) return;
    const questions = keys.map((key) => ["HMGET", key, ...names] as const);
    const versions = (await sendAll(client, questions)) as (string | null)[][];
    const isPresent = (name: string, at: number): boolean =>
      versions.every((own) => Number(own[at]) >= Number(this.#machines.get(name)?.version));
    const present = names.filter(isPresent);
    for (const name of present) this.noteInstalled(name);
    if (present.length < names.length) void this.#recoverLater();
  }

  /** Recovers in the background. Repeats it while a server is unreachable: a partition with an older version rejects no call. */
  async #recoverLater(): Promise<void> {
    if (this.#isRecovering) return;
    this.#isRecovering = true;
    const { logger } = this.#connection;
    for (let failed = 0; ; failed += 1) {
      try {
        await this.#recover();
        break;
      } catch (error) {
        if (!isUnreachable(error) || this.#connection.isEnded) break; // the next call reports it
        const fields = { namespace: this.name, error: safeMessage(error) };
        logger.warn(fields, "machines that the server lacks are not installed again yet");
        await pause(backoffMs(failed, FIRST_PAUSE_MS, LONGEST_PAUSE_MS), undefined, { ref: false });
      }
    }
    this.#isRecovering = false;
  }

  /**
   * Recovers all machines of this client, once for all waiting callers.
   *
   * @param missed the machine whose call got NOMACHINE
   * @returns the installed machines
   */
  #recover(missed?: string): Promise<ReadonlySet<string>> {
    this.#recovery ??= this.#runRecovery(missed).finally(() => {
      this.#recovery = undefined;
      this.#recoveredAt = performance.now();
    });
    return this.#recovery;
  }

  async #runRecovery(missed: string | undefined): Promise<ReadonlySet<string>> {
    const { logger, timeoutMs } = this.#connection;
    const facts = await this.#readAgain();
    const isReinstalled = this.#options.reinstall !== false;
    if (facts === undefined && isReinstalled) await this.initialise();
    const installed = new Set<string>();
    const lost: string[] = [];
    for (const definition of [...this.#machines.values()]) {
      const { name } = definition;
      const location = this.location(name);
      const wasEverywhere = this.#everywhere.has(name);
      const { newest, isLost, isCurrent } = await findMachine(
        this.#connection,
        location,
        definition,
        wasEverywhere,
      );
      // If nothing is missing any more, another process was faster. A reply that arrives after the recovery reports nothing.
      const isLate = performance.now() - this.#recoveredAt < timeoutMs;
      if (isLost || (name === missed && isCurrent && !isLate)) lost.push(name);
      const isBack = isCurrent || (isReinstalled && (await reinstall(this.#connection, location, newest)));
      if (isBack) this.#everywhere.add(name);
      if (isBack || !isLost) installed.add(name);
    }
    const news = lost.filter((name) => !this.#reported.has(name));
    for (const name of this.#machines.keys()) {
      if (installed.has(name)) this.#reported.delete(name);
      else this.#reported.add(name);
    }
    if (news.length === 0) return installed;
    const loss = {
      namespace: this.name,
      machines: news,
      isReinstalled: news.every((name) => installed.has(name)),
    };
    const outcome = loss.isReinstalled ? "installed again, without entities" : "not installed again";
    logger.warn({ ...loss }, `the server has lost data: machines ${news.join(", ")}, ${outcome}`);
    callListener(logger, "for a data loss", this.#options.onDataLoss, loss);
    return installed;
  }
}
