import { checkName, checkOptions, checkWhole } from "./contract/arguments.js";
import { countText } from "./contract/count-text.js";
import { Entities } from "./entities.js";
import { ContractError } from "./errors/latchkey-error.js";
import { MachineInUseError } from "./errors/machine-in-use-error.js";
import { type Applied, type ApplyOptions, applyMachine, checkApply } from "./install/apply.js";
import { compileMachine } from "./machine/compile.js";
import type { CompiledMachine } from "./machine/compiled.js";
import { checkedMachine } from "./machine/define.js";
import type { EventNames, EventType, MachineDefinition, StateEvent } from "./machine/definition.js";
import { MACHINE_NAME } from "./machine/names.js";
import { type InstalledMachine, readMachine } from "./reads/installed-machine.js";
import type { SweepReport } from "./sweep/report.js";
import { type SweepOptions, sweepNamespace } from "./sweep/sweep.js";
import { ask } from "./valkey/ask.js";
import { type Connection, type ConnectionOptions, openConnection } from "./valkey/connection.js";
import type { MachineLocation } from "./valkey/keys.js";
import {
  initialise,
  installedMachines,
  MAX_PARTITIONS,
  type NamespaceFacts,
  readFacts,
} from "./valkey/layout.js";
import type { MachineStore } from "./valkey/machine-store.js";
import { readServerTime, type ServerTime } from "./valkey/server-clock.js";

/** Options of {@link connect}. */
export interface ConnectOptions extends ConnectionOptions {
  /** Prefix of all keys and channels. Deployments that share a server use one each. @default "latchkey" */
  readonly namespace?: string;
}

const OPTIONS: readonly (keyof ConnectOptions)[] = [
  "namespace",
  "url",
  "sentinel",
  "timeout",
  "durability",
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
 * @throws ConnectError, with the address and the cause, if no connection is possible
 * @throws LayoutError if another version of latchkey wrote the namespace
 * @throws ContractError if an option is unknown or invalid
 * @example const latchkey = await connect({ url: "valkey://localhost:6379" });
 */
export async function connect(options: ConnectOptions = {}): Promise<Latchkey> {
  checkOptions(options, OPTIONS);
  const { namespace = "latchkey", ...rest } = options;
  checkName({ ...MACHINE_NAME, kind: "namespace" }, namespace);
  const connection = await openConnection(rest);
  try {
    return new Latchkey(connection, namespace, await askFacts(connection, namespace));
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** The machines of one namespace. Returned by {@link connect}. */
export class Latchkey {
  /** Prefix of all keys and channels. */
  readonly namespace: string;
  readonly #connection: Connection;
  #facts: NamespaceFacts | undefined;

  constructor(connection: Connection, namespace: string, facts: NamespaceFacts | undefined) {
    this.#connection = connection;
    this.namespace = namespace;
    this.#facts = facts;
  }

  /** URL of the server, without credentials. */
  get address(): string {
    return this.#connection.address;
  }

  /** Number of partitions of the namespace; undefined while the namespace is empty. */
  get partitions(): number | undefined {
    return this.#facts?.partitions;
  }

  /**
   * Sets the number of partitions of an empty namespace. The first `apply` sets it to 1 otherwise.
   *
   * @param partitions number of partitions
   * @throws ContractError with code PARTITIONS if the namespace has another number, which cannot be changed
   */
  async init(partitions = 1): Promise<NamespaceFacts> {
    checkWhole("partitions", partitions, 1, MAX_PARTITIONS);
    const facts = await this.#initialise(partitions);
    this.#facts = facts;
    if (facts.partitions !== partitions) {
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
   * ContractError if an option is invalid
   */
  async apply(machine: MachineDefinition, options: ApplyOptions = {}): Promise<Applied> {
    checkApply(options);
    const definition = compileMachine(checkedMachine(machine));
    return applyMachine(await this.#store(definition, options.dryRun === true), options);
  }

  /**
   * Returns the entities of a machine. Installs the definition if it is newer than the installed one. If the installed
   * one is newer, as in a rolling deployment, the installed one applies.
   *
   * @throws MachineInUseError if the installed version has another definition, or entities are in dropped states
   * @example const agents = await latchkey.machine(agent());
   */
  async machine<const S extends string, const N extends string, const E>(
    machine: MachineDefinition<S, N> & EventNames<E>,
  ): Promise<Entities<S, EventType<N, StateEvent<S, N, E>>>> {
    const store = await this.#store(compileMachine(checkedMachine(machine)));
    try {
      await applyMachine(store);
    } catch (error) {
      if (!(error instanceof MachineInUseError && error.problem === "LOWER")) throw error;
      const newer = await readMachine(store.connection, store.location);
      const { definition } = store;
      return new Entities({
        ...store,
        definition: newer?.definition ?? definition,
        olderDefinition: definition,
      });
    }
    return new Entities(store);
  }

  /** Returns the entities of an installed machine; null if it is not installed. */
  async installed(name: string): Promise<Entities | null> {
    const { definition } = (await this.definition(name)) ?? {};
    if (definition === undefined) return null;
    const location = this.#location(name, this.#facts?.partitions ?? 1);
    return new Entities({ connection: this.#connection, location, definition });
  }

  /** Reads an installed machine; null if it is not installed. */
  async definition(name: string): Promise<InstalledMachine | null> {
    checkName(MACHINE_NAME, name);
    const facts = await this.#readFacts();
    return facts === undefined ? null : readMachine(this.#connection, this.#location(name, facts.partitions));
  }

  /** Lists the names of the machines that are installed in this namespace. */
  async machines(): Promise<string[]> {
    return ask(this.#connection, "machines", (client) => installedMachines(client, this.namespace));
  }

  /**
   * Fires the expired timers of all machines of this namespace, round-robin. Includes machines that are installed later.
   * See `Entities.sweep`.
   */
  async sweep(options: SweepOptions = {}): Promise<SweepReport> {
    return sweepNamespace(this.#connection, this.namespace, options);
  }

  /** Reads the server's clock, for the option `notAfter`. The clock of this process is not used. */
  async serverTime(): Promise<ServerTime> {
    return ask(this.#connection, "serverTime", readServerTime);
  }

  /** Closes the connection. A client that was passed to `connect` stays open. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** Closes the connection at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #initialise(partitions: number): Promise<NamespaceFacts> {
    return ask(this.#connection, `init ${this.namespace}`, (client) =>
      initialise(client, this.namespace, partitions),
    );
  }

  /** Reads the facts of the namespace once; undefined while it is empty. */
  async #readFacts(): Promise<NamespaceFacts | undefined> {
    this.#facts ??= await askFacts(this.#connection, this.namespace);
    return this.#facts;
  }

  /** Locates a machine. Sets an empty namespace to one partition, unless it is a dry run, which writes nothing. */
  async #store(definition: CompiledMachine, isDryRun = false): Promise<MachineStore> {
    if (isDryRun) await this.#readFacts();
    else this.#facts ??= await this.#initialise(1);
    const location = this.#location(definition.name, this.#facts?.partitions ?? 1);
    return { connection: this.#connection, location, definition };
  }

  #location(machine: string, partitions: number): MachineLocation {
    return { namespace: this.namespace, partitions, machine };
  }
}

async function askFacts(connection: Connection, namespace: string): Promise<NamespaceFacts | undefined> {
  return ask(connection, `namespace ${namespace}`, (client) => readFacts(client, namespace));
}
