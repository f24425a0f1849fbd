import { Global, Module } from "@nestjs/common";
import { DiscoveryModule } from "@nestjs/core";
import { DecoratedMethods } from "./decorated-methods.js";
import { EventBridge } from "./event-bridge.js";
import { HandlerStarter } from "./handler-starter.js";
import { LatchkeyHealthIndicator } from "./health-indicator.js";
import { LatchkeyRegistry } from "./registry.js";

/** Holds what exists once in each application, whatever number of connections it has. */
@Global()
@Module({
  imports: [DiscoveryModule],
  providers: [LatchkeyRegistry, DecoratedMethods, HandlerStarter, EventBridge, LatchkeyHealthIndicator],
  exports: [LatchkeyRegistry, LatchkeyHealthIndicator],
})
export class LatchkeyRegistryModule {}
