import "reflect-metadata";
import { Inject, Injectable, Logger, Module } from "@nestjs/common";
import { Test } from "@nestjs/testing";
import { beforeAll, expect, test } from "vitest";
import { AgentLifecycleService, LatchkeyModule } from "../../src/nestjs/index.js";
import { built } from "../helpers/built.js";
import { makeAgents, replacedAgents } from "../helpers/replaced-agents.js";

beforeAll(built);

const cleaned: string[] = [];

/** As in the application: it injects the service, and the service's cleanup calls it. */
@Injectable()
class AgentSpawnerService {
  readonly lifecycle: AgentLifecycleService;

  constructor(@Inject(AgentLifecycleService) lifecycle: AgentLifecycleService) {
    this.lifecycle = lifecycle;
  }

  scheduleSessionCleanup(agentId: string): void {
    cleaned.push(agentId);
  }
}

test("the module of the migration guide goes on with imported agents, and cleans up only those that end in it", async () => {
  Logger.overrideLogger(false);
  const { service, url, namespace, load } = await replacedAgents();
  await makeAgents(service);
  expect(await load()).toMatchObject({ exit: 0 });
  const old = await service.getAgentLifecycleState("running");

  @Module({
    imports: [
      LatchkeyModule.forRoot({ url, namespace, agents: { cleanup: { spawner: AgentSpawnerService } } }),
    ],
    providers: [AgentSpawnerService],
  })
  class OrchestratorModule {}

  const app = await Test.createTestingModule({ imports: [OrchestratorModule] }).compile();
  await app.init();
  const { lifecycle } = app.get(AgentSpawnerService);
  expect(lifecycle).toBeInstanceOf(AgentLifecycleService);
  expect(await lifecycle.getAgentLifecycleState("running")).toEqual(old);
  await expect(lifecycle.transitionToKilled("completed")).rejects.toThrow(
    "Invalid state transition from completed to killed",
  );
  expect((await lifecycle.getAgentLifecycleState("completed"))?.status).toBe("completed");
  const ended = await lifecycle.transitionToCompleted("running");
  expect(ended).toMatchObject({ ...old, status: "completed" });
  await expect.poll(() => cleaned).toEqual(["running"]);
  await app.close();
});
