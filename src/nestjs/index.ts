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
export type { AgentLifecycleState } from "../agent-lifecycle.js";
export type { AgentState } from "../machine/agent.js";
export { requestActor } from "./actor.js";
export { LatchkeyActorInterceptor, type LatchkeyActorInterceptorOptions } from "./actor-interceptor.js";
export { AgentLifecycleService } from "./agent-lifecycle-service.js";
export type { AgentCleanupOptions, AgentsOptions, SessionSpawner } from "./agents-options.js";
export type { ErrorBody, LatchkeyExceptionFilterOptions } from "./error-response.js";
export { LatchkeyExceptionFilter } from "./exception-filter.js";
export {
  type LatchkeyHealth,
  LatchkeyHealthIndicator,
  type LatchkeyHealthOptions,
  type ReactionHealth,
} from "./health-indicator.js";
export { type EntitiesOf, InjectEntities, InjectLatchkey } from "./inject.js";
export { KnownError } from "./known-error.js";
export type { DecoratedMethod } from "./method-marks.js";
export { LatchkeyModule } from "./module.js";
export { OnChange, type OnChangeOptions } from "./on-change.js";
export { OnTransition, type OnTransitionOptions } from "./on-transition.js";
export type {
  LatchkeyConnectionOptions,
  LatchkeyModuleAsyncOptions,
  LatchkeyModuleOptions,
  LatchkeyOptionsFactory,
  LatchkeyRootOptions,
} from "./options.js";
export { LatchkeyRpcExceptionFilter } from "./rpc-exception-filter.js";
export { getEntitiesToken, getLatchkeyToken } from "./tokens.js";
