import type { Valkey } from "iovalkey";
import { isError } from "../errors/is-error.js";
import { LayoutError } from "../errors/layout-error.js";
import { NotExecutedError } from "../errors/outcome-errors.js";
import type { CompiledMachine } from "../machine/compiled.js";
import { parseInstalled } from "../reads/installed-machine.js";
import { countOverdue } from "../reads/overdue.js";
import { ask, type Limits } from "../valkey/ask.js";
import type { Connection } from "../valkey/connection.js";
import { tell } from "../valkey/failed-listener.js";
import { safeMessage } from "../valkey/failure.js";
import { type MachineLocation, machinesKey } from "../valkey/keys.js";
import { initialise, type NamespaceFacts, readFacts } from "../valkey/layout.js";
import type { MachineStore } from "../valkey/machine-store.js";
import { performance } from "../valkey/real-time.js";
import { readRole, type ServerRole } from "../valkey/role.js";
import { timeMs } from "../valkey/server-clock.js";
import { applyMachine } from "./apply.js";
import { newestOf, readPartitions } from "./partitions.js";

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

/** Problems of a recovery that leave the machine installed: another version is there already. */
const PRESENT: readonly unknown[] = ["LOWER", "DIFFERENT"];

/**
 * The facts of a namespace, which every client of it shares, and the machines that this client uses. Notices if the
 * server has other facts than before, or has lost a machine.
 */
export class Namespace {
  readonly name: string;
  readonly #connection: Connection;
  readonly #options: LossOptions;
  readonly #machines = new Map<string, CompiledMachine>();
  /** Machines whose loss is reported, and that are not back yet. */
  readonly #reported = new Set<string>();
  #facts: NamespaceFacts | undefined;
  #recovery: Promise<ReadonlySet<string>> | undefined;
  /** End of the last recovery, by `performance.now()`. */
  #recoveredAt = Number.NEGATIVE_INFINITY;

  constructor(connection: Connection, name: string, options: LossOptions) {
    this.name = name;
    this.#connection = connection;
    this.#options = options;
    connection.guard((client) => this.#checkServer(client));
  }

  /** The facts; undefined while the namespace is empty. */
  get facts(): NamespaceFacts | undefined {
    return this.#facts;
  }

  /** Reads the facts once; undefined while the namespace is empty. @throws LayoutError */
  async read(limits: Limits = {}): Promise<NamespaceFacts | undefined> {
    return this.#facts ?? this.#readAgain(limits);
  }

  /** Sets the number of partitions if the namespace is empty. @returns the facts that it has */
  async initialise(partitions: number): Promise<NamespaceFacts> {
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
      const [time, role] = await Promise.all([client.time(), readRole(client), this.#checkServer(client)]);
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

  location(machine: string): MachineLocation {
    return { namespace: this.name, partitions: this.#facts?.partitions ?? 1, machine };
  }

  /** Makes the store of a machine. Pass it to `add` if it is installed. */
  store(definition: CompiledMachine): MachineStore {
    const { name } = definition;
    const recover = async (): Promise<boolean> => (await this.#recover(name)).has(name);
    return { connection: this.#connection, location: this.location(name), definition, recover };
  }

  /** Counts the overdue timers of each machine that this client uses. */
  async countOverdue(limits: Limits): Promise<Record<string, number>> {
    const count = (client: Valkey) =>
      Promise.all(
        [...this.#machines.keys()].map(
          async (name) => [name, await countOverdue(client, this.location(name))] as const,
        ),
      );
    return Object.fromEntries(await this.#ask("overdue timers", limits, count));
  }

  /** Adds an installed machine to those that are installed again if the server loses them. */
  add(store: MachineStore): MachineStore {
    const { definition } = store;
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

  /** Checks the server of a new connection before it gets a call. Recovers lost machines in the background. */
  async #checkServer(client: Valkey): Promise<void> {
    const names = [...this.#machines.keys()];
    const [facts, versions] = await Promise.all([
      readFacts(client, this.name),
      names.length === 0 ? [] : client.hmget(machinesKey(this.name, 0), ...names),
    ]);
    this.#learn(facts);
    const isPresent = (name: string, at: number): boolean =>
      Number(versions[at]) >= Number(this.#machines.get(name)?.version);
    const present = names.filter(isPresent);
    for (const name of present) this.noteInstalled(name);
    if (present.length < names.length) this.#recover().catch(() => {}); // the next call tries again
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
    if (facts === undefined && isReinstalled) await this.initialise(this.#facts?.partitions ?? 1);
    const installed = new Set<string>();
    const lost: string[] = [];
    for (const definition of [...this.#machines.values()]) {
      const { name } = definition;
      const newest = await this.#lostMachine(definition);
      if (newest !== undefined) lost.push(name);
      if (newest === undefined || (isReinstalled && (await this.#reinstall(newest)))) installed.add(name);
    }
    // If nothing is missing any more, another process was faster. A reply that arrives after the recovery reports nothing.
    const isLate = performance.now() - this.#recoveredAt < timeoutMs;
    if (lost.length === 0 && !isLate && missed !== undefined) lost.push(missed);
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
    tell(logger, "for a data loss", this.#options.onDataLoss, loss);
    return installed;
  }

  /** Returns the newest known definition if a partition lacks the machine or has an older version; else undefined. */
  async #lostMachine(definition: CompiledMachine): Promise<CompiledMachine | undefined> {
    const location = this.location(definition.name);
    const partitions = await readPartitions(this.#connection, location);
    const newest = newestOf(partitions);
    const isNewer = newest?.definition != null && Number(newest.version) > definition.version;
    const wanted = isNewer ? parseInstalled(newest.definition ?? "", location) : definition;
    return partitions.some(({ version }) => Number(version) < wanted.version) ? wanted : undefined;
  }

  /** @returns false if the server does not accept the machine, for example for want of a permission */
  async #reinstall(definition: CompiledMachine): Promise<boolean> {
    const location = this.location(definition.name);
    try {
      await applyMachine({ connection: this.#connection, location, definition });
      return true;
    } catch (error) {
      if (error instanceof NotExecutedError && error.reply === "") throw error; // no reply: the caller tries again
      const fields = { namespace: this.name, machine: definition.name, error: safeMessage(error) };
      this.#connection.logger.warn(fields, "a lost machine could not be installed again");
      return isError(error) && "problem" in error && PRESENT.includes(error.problem);
    }
  }
}
