import type { InjectionToken } from "@nestjs/common";
import type { ModuleRef } from "@nestjs/core";
import { refuse } from "../contract/arguments.js";
import { thrownText } from "../valkey/thrown-text.js";
import type { AgentCleanupOptions, SessionSpawner } from "./agents-options.js";

/**
 * Returns the function that cleans up after an agent. It looks the spawner up when it is called, because spawners inject
 * the lifecycle service themselves.
 */
export function sessionCleanup(
  { spawner, handler }: AgentCleanupOptions,
  moduleRef: ModuleRef,
): (agentId: string) => Promise<void> {
  return async (agentId) => {
    if (spawner === undefined) await handler?.(agentId);
    else await findSpawner(spawner, moduleRef).scheduleSessionCleanup(agentId);
  };
}

/** Finds the spawner in any module. @throws ContractError if no provider has its token, or it cannot clean up */
export function findSpawner(token: InjectionToken<SessionSpawner>, moduleRef: ModuleRef): SessionSpawner {
  const name = typeof token === "function" ? token.name : String(token);
  let spawner: Partial<SessionSpawner> | undefined;
  try {
    spawner = moduleRef.get(token, { strict: false });
  } catch (error) {
    refuse(
      `agents.cleanup.spawner: no provider ${name} that lives as long as the application (${thrownText(error)})`,
    );
  }
  if (typeof spawner?.scheduleSessionCleanup === "function") return spawner as SessionSpawner;
  refuse(`agents.cleanup.spawner: ${name} has no method scheduleSessionCleanup(agentId)`);
}
