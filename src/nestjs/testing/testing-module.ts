import { type DynamicModule, Module } from "@nestjs/common";
import { checkObject, refuse } from "../../contract/arguments.js";
import type { MachineDefinition } from "../../machine/definition.js";
import { LatchkeyModule } from "../module.js";
import type { LatchkeyModuleOptions } from "../options.js";
import { TestNamespaces, TestNamespacesModule } from "./namespaces.js";

/** Options of `LatchkeyTestingModule.forRoot`: those of `LatchkeyModule.forRoot`, without the server and its namespace. */
export type LatchkeyTestingOptions = Omit<LatchkeyModuleOptions, (typeof CHOSEN)[number]>;

/** Options that the testing module chooses itself. */
const CHOSEN = ["url", "namespace", "sentinel", "database", "client"] as const;

/**
 * Replaces `LatchkeyModule` in integration tests. The application gets a namespace of its own on a real server, under the
 * same tokens.
 *
 * All tests of a process share one server: the one at VALKEY_URL, otherwise one that is started at the first use and ends
 * with the process. So each worker of a test runner has its own.
 *
 * @example
 * const app = await Test.createTestingModule({
 *   imports: [LatchkeyTestingModule.forRoot(), LatchkeyTestingModule.forFeature([order])],
 *   providers: [OrderService],
 * }).compile();
 */
@Module({})
// biome-ignore lint/complexity/noStaticOnlyClass: Nest modules are classes
export class LatchkeyTestingModule {
  /**
   * Opens a connection to a new namespace when the application starts. `app.close()` closes it and removes the keys of the
   * namespace.
   *
   * @throws ContractError if an option is invalid; the application's startup throws the errors of `startValkey` and `connect`
   * @example LatchkeyTestingModule.forRoot({ sweep: { interval: "10ms" } })
   */
  static forRoot(options: LatchkeyTestingOptions = {}): DynamicModule {
    checkObject("options", options);
    const chosen = CHOSEN.find((name) => Object.hasOwn(options, name));
    if (chosen !== undefined)
      refuse(
        `${chosen} cannot be set, because LatchkeyTestingModule chooses it; set VALKEY_URL to use a running server`,
      );
    const { connection, isGlobal, agents, ...settings } = options;
    return LatchkeyModule.forRootAsync({
      ...(connection !== undefined && { connection }),
      ...(isGlobal !== undefined && { isGlobal }),
      ...(agents !== undefined && { agents }),
      imports: [TestNamespacesModule],
      inject: [TestNamespaces],
      useFactory: async (namespaces: TestNamespaces) => ({ ...settings, ...(await namespaces.create()) }),
    });
  }

  /**
   * Applies machines and provides their entities, exactly as `LatchkeyModule.forFeature` does.
   *
   * @param connection name of the connection
   * @example LatchkeyTestingModule.forFeature([order])
   */
  static forFeature(machines: readonly MachineDefinition[], connection?: string): DynamicModule {
    return LatchkeyModule.forFeature(machines, connection);
  }
}
