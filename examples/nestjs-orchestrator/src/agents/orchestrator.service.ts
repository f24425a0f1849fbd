import { randomUUID } from "node:crypto";
import { Injectable } from "@nestjs/common";
import { AgentLifecycleService } from "latchkey/nestjs";
import { SpawnerService } from "./spawner.service";

/** Spawns agents and follows what becomes of them. */
@Injectable()
export class OrchestratorService {
  constructor(
    private readonly lifecycle: AgentLifecycleService,
    private readonly spawner: SpawnerService,
  ) {}

  async spawn(taskId: string, metadata?: Record<string, unknown>) {
    const agent = await this.lifecycle.registerSpawnedAgent(randomUUID(), taskId, metadata);
    await this.spawner.open(agent.agentId);
    return agent;
  }

  start(agentId: string) {
    return this.lifecycle.transitionToRunning(agentId);
  }

  complete(agentId: string) {
    return this.lifecycle.transitionToCompleted(agentId);
  }

  fail(agentId: string, error: string) {
    return this.lifecycle.transitionToFailed(agentId, error);
  }

  kill(agentId: string) {
    return this.lifecycle.transitionToKilled(agentId);
  }

  get(agentId: string) {
    return this.lifecycle.getAgentLifecycleState(agentId);
  }

  list() {
    return this.lifecycle.listAgentLifecycleStates();
  }
}
