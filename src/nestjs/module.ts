import { type DynamicModule, Module, type Provider } from "@nestjs/common";
import { checkFlag, checkList, checkObject, checkOptions, refuse } from "../contract/arguments.js";
import { checkedMachine } from "../machine/define.js";
import type { MachineDefinition } from "../machine/definition.js";
import { agentProviders } from "./agents.js";
import { entitiesProvider } from "./entities-provider.js";
import type {
  LatchkeyConnectionOptions,
  LatchkeyModuleAsyncOptions,
  LatchkeyModuleOptions,
  LatchkeyOptionsFactory,
  LatchkeyRootOptions,
} from "./options.js";
import { LatchkeyRegistry } from "./registry.js";
import { LatchkeyRegistryModule } from "./registry-module.js";
import { DEFAULT_CONNECTION, getLatchkeyToken } from "./tokens.js";

const ROOT_OPTIONS: readonly (keyof LatchkeyRootOptions)[] = ["connection", "isGlobal", "agents"];
const ASYNC_OPTIONS: readonly (keyof LatchkeyModuleAsyncOptions)[] = [
  ...ROOT_OPTIONS,
  "imports",
  "inject",
  "useFactory",
  "useClass",
  "useExisting",
];

type ModuleImport = NonNullable<DynamicModule["imports"]>[number];

/**
 * Connects a Nest application to Valkey, and provides the entities of its machines.
 *
 * @example
 * @Module({
 *   imports: [LatchkeyModule.forRoot({ url: "valkey://localhost:6379" }), LatchkeyModule.forFeature([order])],
 *   providers: [OrderService],
 * })
 * class AppModule {}
 */
@Module({})
// biome-ignore lint/complexity/noStaticOnlyClass: Nest modules are classes
export class LatchkeyModule {
  /**
   * Opens a connection when the application starts, and closes it when the application shuts down.
   *
   * @param options options of `connect`, and those of the module
   * @throws ContractError if an option is invalid; the application's startup throws the errors of `connect`
   * @example LatchkeyModule.forRoot({ url: process.env.VALKEY_URL, sweep: true })
   */
  static forRoot(options: LatchkeyModuleOptions = {}): DynamicModule {
    const { connection, isGlobal, agents, ...settings } = options;
    return root(options, [], (provide) => [{ provide, useFactory: () => settings }]);
  }

  /**
   * Opens a connection with settings that other providers make, for example from a configuration service.
   *
   * @throws ContractError if an option is invalid; the application's startup throws the errors of `connect`
   * @example
   * LatchkeyModule.forRootAsync({
   *   inject: [ConfigService],
   *   useFactory: (config: ConfigService) => ({ url: config.getOrThrow("VALKEY_URL") }),
   * })
   */
  static forRootAsync(options: LatchkeyModuleAsyncOptions): DynamicModule {
    checkOptions(options, ASYNC_OPTIONS);
    return root(options, options.imports ?? [], (provide) => settingsProviders(provide, options));
  }

  /**
   * Applies machines once per application, and provides their entities to the module that imports this one.
   *
   * @param machines machines of `defineMachine` or `agent()`
   * @param connection name of the connection
   * @throws MachineDefinitionError if a machine is invalid; the application's startup throws the errors of `latchkey.machine`
   * @example LatchkeyModule.forFeature([agent(), order])
   */
  static forFeature(machines: readonly MachineDefinition[], connection?: string): DynamicModule {
    checkList("machines", machines, " of machines");
    const providers = machines.map((machine) => entitiesProvider(checkedMachine(machine), connection));
    return {
      module: LatchkeyModule,
      imports: [LatchkeyRegistryModule],
      providers: [...providers, { provide: `LatchkeyFeature:${nextNumber()}`, useValue: true }],
      exports: providers.map(({ provide }) => provide),
    };
  }
}

function root(
  { connection = DEFAULT_CONNECTION, isGlobal = true, agents = false }: LatchkeyRootOptions,
  imports: readonly ModuleImport[],
  settings: (token: string) => Provider[],
): DynamicModule {
  checkFlag("isGlobal", isGlobal);
  const latchkey = getLatchkeyToken(connection);
  const forAgents = agents === false ? undefined : agentProviders(connection, agents === true ? {} : agents);
  const token = `LatchkeyOptions:${nextNumber()}`;
  return {
    module: LatchkeyModule,
    global: isGlobal,
    imports: [LatchkeyRegistryModule, ...imports],
    providers: [
      ...settings(token),
      {
        provide: latchkey,
        inject: [LatchkeyRegistry, token],
        useFactory: (registry: LatchkeyRegistry, options: LatchkeyConnectionOptions) =>
          registry.start(() => registry.open(connection, checkedSettings(options))),
      },
      ...(forAgents?.providers ?? []),
    ],
    exports: [latchkey, ...(forAgents?.exports ?? [])],
  };
}

/** Rejects settings of a factory that come too late. */
function checkedSettings(settings: LatchkeyConnectionOptions): LatchkeyConnectionOptions {
  checkObject("the settings of forRootAsync", settings);
  for (const name of ROOT_OPTIONS) {
    if (name in settings) refuse(`${name} is fixed before the settings are made; write it beside useFactory`);
  }
  return settings;
}

function settingsProviders(provide: string, options: LatchkeyModuleAsyncOptions): Provider[] {
  const { inject = [], useFactory, useClass, useExisting } = options;
  const ways = [useFactory, useClass, useExisting].filter((way) => way !== undefined);
  if (ways.length !== 1) refuse("forRootAsync needs exactly one of useFactory, useClass and useExisting");
  if (useFactory !== undefined) return [{ provide, inject, useFactory }];
  const factory = useClass ?? useExisting;
  if (factory === undefined) return [];
  const made: Provider = {
    provide,
    inject: [factory],
    useFactory: (maker: LatchkeyOptionsFactory) => maker.createLatchkeyOptions(),
  };
  return useClass === undefined ? [made] : [{ provide: useClass, useClass }, made];
}

let modules = 0;

/** Numbers dynamic modules: Nest 10 takes two that look equal for one, and would drop the second. */
function nextNumber(): number {
  modules += 1;
  return modules;
}
