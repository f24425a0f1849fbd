import {
  Injectable,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
  type OnModuleDestroy,
} from "@nestjs/common";
import { refuse } from "../contract/arguments.js";
import type { Entities } from "../entities.js";
import type { Latchkey } from "../latchkey.js";
import type { MachineDefinition } from "../machine/definition.js";
import { UsedMachines } from "./machines.js";
import { NamedConnection } from "./named-connection.js";
import type { LatchkeyConnectionOptions } from "./options.js";
import { DEFAULT_CONNECTION } from "./tokens.js";
import type { Work, WorkStatus } from "./work.js";

/**
 * Closes the connections of applications whose startup failed. Nest calls no hook then, and drops the application. Nothing
 * that a connection refers to may refer to the registry.
 */
const abandoned = new FinalizationRegistry<ReadonlyMap<string, NamedConnection>>((connections) => {
  for (const connection of connections.values()) void connection.close();
});

/** The connections of an application, and the work that runs on them from bootstrap to shutdown. */
@Injectable()
export class LatchkeyRegistry implements OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  readonly #connections = new Map<string, NamedConnection>();
  readonly #machines = new UsedMachines();
  readonly #claims = new Set<string>();

  constructor() {
    abandoned.register(this, this.#connections);
  }

  /** Opens a connection. If that fails, closes all of the application, because its startup fails. */
  async open(name: string, options: LatchkeyConnectionOptions): Promise<Latchkey> {
    return this.orCloseAll(async () => {
      this.claim(`connection ${name}`, twice(name));
      const connection = new NamedConnection(name, options);
      this.#connections.set(name, connection);
      return connection.open();
    });
  }

  /** Applies a machine once, and returns its entities. If that fails, closes all connections of the application. */
  async entities(latchkey: Latchkey, machine: MachineDefinition): Promise<Entities> {
    return this.orCloseAll(() => this.#machines.entities(latchkey, machine));
  }

  /** Reserves something that can exist once in an application. @throws ContractError with the message, the second time */
  claim(what: string, message: string): void {
    if (this.#claims.has(what)) refuse(message);
    this.#claims.add(what);
  }

  /**
   * Adds work that has begun. The application's shutdown stops it before the connection closes. If it ends with an error,
   * that is logged as fatal.
   *
   * @param connection name of the connection
   * @param name name of the work, for logs and health checks
   */
  add(connection: string, name: string, work: Work): void {
    const named = this.#connections.get(connection);
    if (named === undefined)
      refuse(`no connection is named "${connection}"; LatchkeyModule.forRoot opens one`);
    named.work.add(name, work);
  }

  /** Names of the connections. */
  get names(): readonly string[] {
    return [...this.#connections.keys()];
  }

  /** Returns a connection by its name. */
  connection(name: string): NamedConnection | undefined {
    return this.#connections.get(name);
  }

  /** Returns the entities of all machines that the modules use on a connection. */
  async used(connection: NamedConnection): Promise<readonly Entities[]> {
    return this.#machines.all(await connection.open());
  }

  /** Lists the work of all connections: what runs, what was stopped, and what failed. */
  get work(): readonly WorkStatus[] {
    return [...this.#connections.values()].flatMap(({ work }) => work.statuses);
  }

  async onApplicationBootstrap(): Promise<void> {
    for (const connection of this.#connections.values()) await connection.start();
  }

  async onModuleDestroy(): Promise<void> {
    await this.#all((connection) => connection.stop());
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#all((connection) => connection.close());
  }

  /** Does a part of the startup. If it fails, closes all connections of the application. */
  async orCloseAll<T>(work: () => T | Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      void this.#all((connection) => connection.close());
      throw error;
    }
  }

  async #all(work: (connection: NamedConnection) => Promise<void>): Promise<void> {
    await Promise.all([...this.#connections.values()].map(work));
  }
}

function twice(name: string): string {
  const named = name === DEFAULT_CONNECTION ? "without a name" : `named "${name}"`;
  return (
    `LatchkeyModule.forRoot opens a connection ${named} twice; import it once, ` +
    'or name one of them: forRoot({ connection: "orders", … })'
  );
}
