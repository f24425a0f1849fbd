/**
 * Runs latchkey in a NestJS application: connections, entities of machines by injection, sweep and shutdown.
 *
 * @example
 * ```ts
 * import { LatchkeyModule } from "latchkey/nestjs";
 * ```
 *
 * @module latchkey/nestjs
 */
export { AgentLifecycleService } from "./agent-lifecycle-service.js";
export type { AgentCleanupOptions, AgentsOptions, SessionSpawner } from "./agents-options.js";
export { type EntitiesOf, InjectEntities, InjectLatchkey } from "./inject.js";
export { LatchkeyModule } from "./module.js";
export type {
  LatchkeyConnectionOptions,
  LatchkeyModuleAsyncOptions,
  LatchkeyModuleOptions,
  LatchkeyOptionsFactory,
  LatchkeyRootOptions,
} from "./options.js";
export { getEntitiesToken, getLatchkeyToken } from "./tokens.js";
