import type { FactoryProvider, InjectionToken, ModuleMetadata, Type } from "@nestjs/common";
import type { ConnectOptions } from "../latchkey.js";
import type { Duration } from "../machine/duration.js";
import type { SweepOptions } from "../sweep/sweep.js";
import type { ConnectRetry } from "../valkey/await-server.js";
import type { AgentsOptions } from "./agents-options.js";

/** Settings of one connection of an application: the options of `connect`, and what runs on the connection. */
export interface LatchkeyConnectionOptions extends ConnectOptions {
  /**
   * Waits for a server that is not up yet, as the option of `connect` does. Only connection errors are retried.
   * @default { attempts: 9, delay: "3s" }
   */
  readonly retry?: boolean | ConnectRetry;
  /** Sweeps all machines of the namespace while the application runs. @default false */
  readonly sweep?: boolean | SweepOptions;
  /**
   * Emits each change of the machines of `forFeature` and `agents` on the application's EventEmitter2, in every replica: the
   * event is the change's type, such as `agent.running`, and its value the change. Needs `@nestjs/event-emitter`, and
   * `EventEmitterModule.forRoot()` in some module. If changes were missed, emits `latchkey.missed` with the GapError.
   * @default false
   */
  readonly eventEmitter?: boolean;
  /** Time that handlers have to finish when the application shuts down. After it their signals abort. @default "10s" */
  readonly shutdownTimeout?: Duration;
}

/** The part of the options that is fixed before any provider exists. */
export interface LatchkeyRootOptions {
  /** Name of the connection, if the application has several. @default "default" */
  readonly connection?: string;
  /**
   * Makes the connection visible in all modules. Without it only modules that import this one see the connection, and
   * `forFeature` cannot be used for it.
   * @default true
   */
  readonly isGlobal?: boolean;
  /**
   * Provides `AgentLifecycleService`, and the entities of the agent machine. Only one connection can have it.
   * @default false
   */
  readonly agents?: boolean | AgentsOptions;
}

/** Options of `LatchkeyModule.forRoot`. */
export interface LatchkeyModuleOptions extends LatchkeyConnectionOptions, LatchkeyRootOptions {}

/** A class that makes the settings of a connection, for `useClass` and `useExisting`. */
export interface LatchkeyOptionsFactory {
  /** Makes the settings. Called once, before the connection opens. */
  createLatchkeyOptions(): LatchkeyConnectionOptions | Promise<LatchkeyConnectionOptions>;
}

/** Options of `LatchkeyModule.forRootAsync`. Give exactly one of `useFactory`, `useClass` and `useExisting`. */
export interface LatchkeyModuleAsyncOptions extends LatchkeyRootOptions, Pick<ModuleMetadata, "imports"> {
  /** Providers that `useFactory` takes as arguments. */
  readonly inject?: NonNullable<FactoryProvider["inject"]>;
  /** Makes the settings. */
  readonly useFactory?: FactoryProvider<LatchkeyConnectionOptions>["useFactory"];
  /** A class that makes the settings, instantiated for this module. */
  readonly useClass?: Type<LatchkeyOptionsFactory>;
  /** A provider of another module that makes the settings. */
  readonly useExisting?: InjectionToken<LatchkeyOptionsFactory>;
}
