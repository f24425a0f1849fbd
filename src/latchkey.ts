import { checkName, checkOptions, checkWhole } from "./contract/arguments.js";
import { Entities } from "./entities.js";
import { ContractError } from "./errors/latchkey-error.js";
import { MachineInUseError } from "./errors/machine-in-use-error.js";
import { type Applied, type ApplyOptions, applyMachine, checkApply } from "./install/apply.js";
import { compileMachine } from "./machine/compile.js";
import { checkedMachine } from "./machine/define.js";
import type { MachineDefinition } from "./machine/definition.js";
import { MACHINE_NAME } from "./machine/names.js";
import { type InstalledMachine, readMachine } from "./reads/installed-machine.js";
import type { SweepReport } from "./sweep/report.js";
import { type SweepOptions, sweepNamespace } from "./sweep/sweep.js";
import { ask } from "./valkey/ask.js";
import { type Connection, type ConnectionOptions, openConnection } from "./valkey/connection.js";
import type { MachineLocation } from "./valkey/keys.js";
import {
  initialise,
  MAX_PARTITIONS,
  type NamespaceFacts,
  notedMachines,
  readFacts,
} from "./valkey/layout.js";
import { readServerTime, type ServerTime } from "./valkey/server-clock.js";

/** Settings of {@link connect}. */
export interface ConnectOptions extends ConnectionOptions {
  /** Prefix of all keys and channels, so that several deployments share a server. @default "latchkey" */
  readonly namespace?: string;
}

const OPTIONS: ReadonlySet<string> = new Set<keyof ConnectOptions>([
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
]);

/**
 * Connects to the server that keeps the entities.
 *
 * @throws ConnectError naming address and cause when that is not possible.
 * @throws LayoutError when another version of latchkey wrote the namespace.
 * @throws ContractError if an option is unknown or invalid.
 * @example const latchkey = await connect({ url: "valkey://localhost:6379" });
 */
export async function connect(options: ConnectOptions = {}): Promise<Latchkey> {
  checkOptions(options, OPTIONS);
  const { namespace = "latchkey", ...rest } = options;
  checkName({ ...MACHINE_NAME, kind: "namespace" }, namespace);
  const connection = await openConnection(rest);
  try {
    return new Latchkey(connection, namespace, await factsOf(connection, namespace));
  } catch (error) {
    await connection.close();
    throw error;
  }
}

/** A connection, and the machines of one namespace. */
export class Latchkey {
  readonly namespace: string;
  readonly #connection: Connection;
  #facts: NamespaceFacts | undefined;

  constructor(connection: Connection, namespace: string, facts: NamespaceFacts | undefined) {
    this.#connection = connection;
    this.namespace = namespace;
    this.#facts = facts;
  }

  /** The server, without credentials. */
  get address(): string {
    return this.#connection.address;
  }

  /** In how many parts the namespace is spread; undefined while it is fresh. */
  get partitions(): number | undefined {
    return this.#facts?.partitions;
  }

  /**
   * Fixes a fresh namespace to a number of partitions. The first `apply` does it too, with one.
   *
   * @throws ContractError when it is fixed to another number: that can't be changed.
   */
  async init(partitions = 1): Promise<NamespaceFacts> {
    checkWhole("partitions", partitions, 1, MAX_PARTITIONS);
    const facts = await this.#initialise(partitions);
    this.#facts = facts;
    if (facts.partitions !== partitions) {
      throw new ContractError(
        "PARTITIONS",
        `namespace "${this.namespace}" has ${facts.partitions} partitions, which can't be changed; use another namespace`,
      );
    }
    return facts;
  }

  /**
   * Installs a machine, or a newer version of it.
   *
   * @throws MachineDefinitionError when it is wrong, MachineInUseError when the server can't take it, ContractError for
   * options that can't be.
   */
  async apply(machine: MachineDefinition, options: ApplyOptions = {}): Promise<Applied> {
    checkApply(options);
    const compiled = compileMachine(checkedMachine(machine));
    const location =
      options.dryRun === true
        ? await this.#seenLocationOf(compiled.name)
        : await this.#locationOf(compiled.name);
    return applyMachine(this.#connection, location, compiled, options);
  }

  /**
   * The entities of a machine. Applies the definition where it is newer than the installed one; where the installed one
   * is newer, as in a rolling deployment, that one judges.
   *
   * @throws MachineInUseError when the installed version has another content, or entities sit in dropped states.
   * @example const agents = await latchkey.machine(agent());
   */
  async machine<S extends string>(machine: MachineDefinition<S>): Promise<Entities<S>> {
    const compiled = compileMachine(checkedMachine(machine));
    const location = await this.#locationOf(compiled.name);
    let definition = compiled;
    try {
      await applyMachine(this.#connection, location, compiled);
    } catch (error) {
      if (!(error instanceof MachineInUseError && error.problem === "LOWER")) throw error;
      const newer = await readMachine(this.#connection, location);
      definition = newer?.definition ?? compiled;
    }
    return new Entities<S>({ connection: this.#connection, location, definition });
  }

  /** The entities of a machine that is installed already, by its name; null where none is. */
  async installed(name: string): Promise<Entities | null> {
    const record = await this.definition(name);
    if (record === null) return null;
    return new Entities({
      connection: this.#connection,
      location: await this.#locationOf(name),
      definition: record.definition,
    });
  }

  /** The installed machine of a name; null where none is. */
  async definition(name: string): Promise<InstalledMachine | null> {
    checkName(MACHINE_NAME, name);
    if (this.#facts === undefined) this.#facts = await factsOf(this.#connection, this.namespace);
    if (this.#facts === undefined) return null;
    return readMachine(this.#connection, await this.#locationOf(name));
  }

  /** The names of the machines installed in this namespace. */
  async machines(): Promise<string[]> {
    return ask(this.#connection, "machines", (client) => notedMachines(client, this.namespace));
  }

  /**
   * Fires the expired timers of all machines of this namespace, round-robin. Includes machines that are installed later.
   * See `Entities.sweep`.
   */
  async sweep(options: SweepOptions = {}): Promise<SweepReport> {
    return sweepNamespace(this.#connection, this.namespace, options);
  }

  /** The server's time, for `notAfter` and `sent`. This machine's own clock plays no part. */
  async serverTime(): Promise<ServerTime> {
    return ask(this.#connection, "serverTime", readServerTime);
  }

  /** Closes the connection, unless the caller handed it in. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** Closes the client at the end of an `await using` block. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #initialise(partitions: number): Promise<NamespaceFacts> {
    return ask(this.#connection, `init ${this.namespace}`, (client) =>
      initialise(client, this.namespace, partitions),
    );
  }

  /** Where a machine lives; fixes a fresh namespace to one partition. */
  async #locationOf(machine: string): Promise<MachineLocation> {
    this.#facts ??= await this.#initialise(1);
    return { namespace: this.namespace, partitions: this.#facts.partitions, machine };
  }

  /** Where a machine lives, or would live in a fresh namespace; writes nothing. */
  async #seenLocationOf(machine: string): Promise<MachineLocation> {
    this.#facts ??= await factsOf(this.#connection, this.namespace);
    return { namespace: this.namespace, partitions: this.#facts?.partitions ?? 1, machine };
  }
}

async function factsOf(connection: Connection, namespace: string): Promise<NamespaceFacts | undefined> {
  return ask(connection, `namespace ${namespace}`, (client) => readFacts(client, namespace));
}
