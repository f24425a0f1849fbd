import { checkFlag, checkFunctions, checkName, checkOptions, checkWhole } from "./contract/arguments.js";
import { countText } from "./contract/count-text.js";
import type { Fields } from "./contract/own-fields.js";
import { Entities } from "./entities.js";
import { ContractError } from "./errors/latchkey-error.js";
import { type Applied, type ApplyOptions, applyMachine, checkApply, useMachine } from "./install/apply.js";
import { type LossOptions, Namespace, type Ping } from "./install/namespace.js";
import { compileMachine } from "./machine/compile.js";
import type { CompiledMachine } from "./machine/compiled.js";
import { checkedMachine } from "./machine/define.js";
import type { EventNames, Machine, MachineDefinition, StateEvent } from "./machine/definition.js";
import { MACHINE_NAME } from "./machine/names.js";
import { type InstalledMachine, readMachine, readMachineNames } from "./reads/installed-machine.js";
import type { SweepReport } from "./sweep/report.js";
import { type SweepOptions, sweepNamespace } from "./sweep/sweep.js";
import { ask, type Limits, limited, type ReadOptions } from "./valkey/ask.js";
import { awaitServer, type ConnectRetry } from "./valkey/await-server.js";
import type { Connection } from "./valkey/connection.js";
import type { ConnectionOptions } from "./valkey/connection-options.js";
import { DEFAULT_NAMESPACE } from "./valkey/connection-options.js";
import { MAX_PARTITIONS, type NamespaceFacts } from "./valkey/layout.js";
import { safeLogger } from "./valkey/logger.js";
import type { MachineStore } from "./valkey/machine-store.js";
import { openConnection } from "./valkey/open-connection.js";
import { readServerTime, type ServerTime } from "./valkey/server-clock.js";

/** Options of {@link connect}. */
export interface ConnectOptions extends ConnectionOptions, LossOptions {
  /** Prefix of all keys and channels. Deployments that share a server use one each. @default "latchkey" */
  readonly namespace?: string;
  /**
   * Waits for a server that is not up yet, and logs the progress. `true` waits without a limit. A wrong password, a failed
   * TLS handshake and other causes that do not pass are thrown at once.
   * @default false
   */
  readonly retry?: boolean | ConnectRetry;
}

const OPTIONS: readonly (keyof ConnectOptions)[] = [
  "namespace",
  "retry",
  "reinstall",
  "onDataLoss",
  "url",
  "sentinel",
  "cluster",
  "database",
  "timeout",
  "durability",
  "actor",
  "maxInFlight",
  "username",
  "password",
  "tls",
  "connectTimeoutMs",
  "silenceTimeoutMs",
  "connectionName",
  "logger",
  "client",
];

/**
 * Connects to a Valkey server.
 *
 * @throws ConnectError, with the address and the cause, if no connection is possible; with `retry`, when its time is up
 * @throws LayoutError if another version of latchkey wrote the namespace
 * @throws ContractError if an option is unknown or invalid
 * @example const latchkey = await connect({ url: "valkey://localhost:6379" });
 */
export async function connect(options: ConnectOptions = {}): Promise<Latchkey> {
  checkOptions(options, OPTIONS);
  const {
    namespace: name = DEFAULT_NAMESPACE,
    retry = false,
    reinstall,
    onDataLoss,
    logger: ownLogger,
    ...rest
  } = options;
  const logger = safeLogger(ownLogger);
  checkName({ ...MACHINE_NAME, kind: "namespace" }, name);
  checkFlag("reinstall", reinstall);
  checkFunctions({ onDataLoss });
  const open = async (limitMs = Number.POSITIVE_INFINITY): Promise<Latchkey> => {
    const connection = await openConnection({ ...rest, logger, namespace: name }, limitMs);
    try {
      const namespace = new Namespace(connection, name, options);
      await namespace.read();
      return new Latchkey(connection, namespace);
    } catch (error) {
      await connection.close();
      throw error;
    }
  };
  return awaitServer(open, retry, logger);
}

/** The machines of one namespace. Returned by {@link connect}. */
export class Latchkey {
  /** Prefix of all keys and channels. */
  readonly namespace: string;
  readonly #connection: Connection;
  readonly #namespace: Namespace;

  constructor(connection: Connection, namespace: Namespace) {
    this.#connection = connection;
    this.#namespace = namespace;
    this.namespace = namespace.name;
  }

  /** URL of the server, without credentials. */
  get address(): string {
    return this.#connection.address;
  }

  /** Number of partitions of the namespace; undefined while the namespace is empty. */
  get partitions(): number | undefined {
    return this.#namespace.facts?.partitions;
  }

  /**
   * Sets the number of partitions of an empty namespace. The first `apply` does so otherwise.
   *
   * @param partitions number of partitions, 1 to 4096; by default 1, and 64 in a cluster
   * @throws ContractError with code PARTITIONS if the namespace has another number, which cannot be changed
   */
  async init(partitions?: number): Promise<NamespaceFacts> {
    if (partitions !== undefined) checkWhole("partitions", partitions, 1, MAX_PARTITIONS);
    const facts = await this.#namespace.initialise(partitions);
    if (partitions !== undefined && facts.partitions !== partitions) {
      throw new ContractError(
        "PARTITIONS",
        `namespace "${this.namespace}" has ${countText(facts.partitions, "partition")}, which cannot be changed; use another namespace`,
      );
    }
    return facts;
  }

  /**
   * Installs a machine, or a newer version of it.
   *
   * @throws MachineDefinitionError if the definition is invalid, MachineInUseError if the server cannot accept it,
   * ApplyInterruptedError if only some partitions have it: apply it again; ContractError if an option is invalid
   */
  async apply(machine: MachineDefinition, options: ApplyOptions = {}): Promise<Applied> {
    checkApply(options);
    const definition = compileMachine(checkedMachine(machine));
    const applied = await applyMachine(await this.#store(definition, options.dryRun === true), options);
    if (options.dryRun !== true) this.#namespace.noteInstalled(definition.name);
    return applied;
  }

  /**
   * Returns the entities of a machine. Installs the definition if it is newer than the installed one. If the installed
   * one is newer, as in a rolling deployment, the installed one applies. Writes nothing if there is nothing to install.
   * A user who may only read, and a client of a replica, get the installed one, also if it is older; a warning is logged.
   *
   * @throws MachineInUseError if the installed version has another definition, or entities are in dropped states;
   * ApplyInterruptedError if only some partitions have the definition: call it again; NotExecutedError if it is not
   * installed and cannot be, for example by a user who may only read
   * @example const agents = await latchkey.machine(agent());
   * @example
   * interface OrderFields { customer: string; paidAt?: string }
   * const orders: Entities<typeof order, OrderFields> = await latchkey.machine(order);
   */
  async machine<const S extends string, const N extends string, const E, F extends object = Fields>(
    machine: MachineDefinition<S, N> & EventNames<E>,
  ): Promise<Entities<Machine<S, N, StateEvent<S, N, E>>, F>> {
    const store = await this.#store(compileMachine(checkedMachine(machine)));
    const used = await useMachine(store);
    return new Entities(this.#namespace.add(used.store, used.isEverywhere));
  }

  /** Returns the entities of an installed machine; null if it is not installed. */
  async installed(name: string, options: ReadOptions = {}): Promise<Entities | null> {
    const { definition } = (await this.definition(name, options)) ?? {};
    if (definition === undefined) return null;
    return new Entities(this.#namespace.add(this.#namespace.store(definition)));
  }

  /** Reads an installed machine; null if it is not installed. */
  async definition(name: string, options: ReadOptions = {}): Promise<InstalledMachine | null> {
    checkName(MACHINE_NAME, name);
    const { connection, ...limits } = this.#limited(options);
    if ((await this.#namespace.read(limits)) === undefined) return null;
    return readMachine(connection, this.#namespace.location(name), limits);
  }

  /** Lists the names of the machines that are installed in this namespace. */
  async machines(options: ReadOptions = {}): Promise<string[]> {
    const { connection, ...limits } = this.#limited(options);
    return readMachineNames(connection, this.#namespace.place, limits);
  }

  /**
   * Fires the expired timers of all machines of this namespace, round-robin. Includes machines that are installed later.
   * See `Entities.sweep`.
   */
  async sweep(options: SweepOptions = {}): Promise<SweepReport> {
    return sweepNamespace(this.#connection, this.#namespace, options);
  }

  /** Reads the server's clock, for the option `notAfter`. The clock of this process is not used. */
  async serverTime(options: ReadOptions = {}): Promise<ServerTime> {
    const { connection, ...limits } = this.#limited(options);
    return ask(connection, "serverTime", readServerTime, limits);
  }

  /**
   * Asks the server for a reply, for health checks. Reads the facts of the namespace too.
   *
   * @throws NotExecutedError if there is no reply within `timeout`, or an error reply such as LOADING; LayoutError if the
   * namespace was created anew; ClosedError; the reason of the signal
   * @example await latchkey.ping({ timeout: "1s" });
   */
  async ping(options: ReadOptions = {}): Promise<Ping> {
    return this.#namespace.ping(this.#limited(options));
  }

  /**
   * Counts the overdue timers of each machine that this client uses, in constant time, for health checks: a count that
   * stays above 0 means that no replica sweeps.
   *
   * @throws NotExecutedError if the server does not reply
   * @example await latchkey.overdue({ timeout: "1s" }); // { agent: 0 }
   */
  async overdue(options: ReadOptions = {}): Promise<Record<string, number>> {
    return this.#namespace.countOverdue(this.#limited(options));
  }

  /**
   * Closes the connection. A client that was passed to `connect` stays open. Later calls and calls that wait in this
   * process are rejected with ClosedError. Iterations and sweeps that run end. If a change was sent and its reply does not
   * arrive any more, it is rejected with OutcomeUnknownError.
   */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** Closes the connection at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Locates a machine. Sets the number of partitions of an empty namespace, unless it is a dry run, which writes nothing. */
  async #store(definition: CompiledMachine, isDryRun = false): Promise<MachineStore> {
    const facts = await this.#namespace.read();
    if (facts === undefined && !isDryRun) await this.#namespace.initialise();
    return this.#namespace.store(definition);
  }

  #limited(options: ReadOptions): { readonly connection: Connection } & Limits {
    return limited({ connection: this.#connection }, options);
  }
}
