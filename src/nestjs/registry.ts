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
import { DEFAULT_SHUTDOWN_MS, NamedConnection } from "./named-connection.js";
import type { LatchkeyConnectionOptions } from "./options.js";
import { DEFAULT_CONNECTION } from "./tokens.js";
import { RunningWork, type Work, type WorkStatus } from "./work.js";

/**
 * Closes the connections of an application whose startup failed: Nest calls no hook then, and drops the application. Until
 * handlers run on it, nothing that a connection refers to may refer to the registry.
 */
const abandoned = new FinalizationRegistry<ReadonlyMap<string, NamedConnection>>((connections) => {
  for (const connection of connections.values()) void connection.close();
});

/** The connections of an application, and the work that runs on them from bootstrap to shutdown. */
@Injectable()
export class LatchkeyRegistry implements OnApplicationBootstrap, OnModuleDestroy, OnApplicationShutdown {
  readonly #connections = new Map<string, NamedConnection>();
  readonly #machines = new UsedMachines();
  readonly #work = new Map<string, RunningWork>();
  readonly #claims = new Set<string>();

  constructor() {
    abandoned.register(this, this.#connections);
  }

  /** Opens a connection. @throws ContractError if one of that name is open */
  async open(name: string, options: LatchkeyConnectionOptions): Promise<Latchkey> {
    this.claim(`connection ${name}`, twice(name));
    const connection = new NamedConnection(name, options);
    this.#connections.set(name, connection);
    return connection.open();
  }

  /** Applies a machine once, and returns its entities. */
  async entities(latchkey: Latchkey, machine: MachineDefinition): Promise<Entities> {
    return this.start(() => this.#machines.entities(latchkey, machine));
  }

  /**
   * Runs a part of the application's startup. If it fails, closes all connections: the startup fails, and Nest calls no hook
   * then.
   */
  async start<T>(part: () => T | Promise<T>): Promise<T> {
    try {
      return await part();
    } catch (error) {
      void this.#closeAll();
      throw error;
    }
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
    const running = this.#work.get(connection) ?? new RunningWork(connection);
    this.#work.set(connection, running);
    running.add(name, work);
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

  /** Lists the work of all connections, each with its state: running, stopped or failed. */
  get work(): readonly WorkStatus[] {
    return [...this.#work.values()].flatMap(({ statuses }) => statuses);
  }

  async onApplicationBootstrap(): Promise<void> {
    await this.start(async () => {
      for (const [name, connection] of this.#connections) {
        const sweep = await connection.startSweep();
        if (sweep !== undefined) this.add(name, "sweep", sweep);
      }
    });
  }

  async onModuleDestroy(): Promise<void> {
    const stops = [...this.#work].map(([name, work]) =>
      work.stop(this.#connections.get(name)?.shutdownMs ?? DEFAULT_SHUTDOWN_MS),
    );
    await Promise.all(stops);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#closeAll();
  }

  async #closeAll(): Promise<void> {
    await Promise.all([...this.#connections.values()].map((connection) => connection.close()));
  }
}

function twice(name: string): string {
  const named = name === DEFAULT_CONNECTION ? "without a name" : `named "${name}"`;
  return (
    `LatchkeyModule.forRoot opens a connection ${named} twice; import it once, ` +
    'or name one of them: forRoot({ connection: "orders", … })'
  );
}
