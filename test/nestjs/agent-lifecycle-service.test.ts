import { Inject, Injectable, Module, Scope } from "@nestjs/common";
import { describe, expect, it } from "vitest";
import { agent } from "../../src/index.js";
import {
  AgentLifecycleService,
  type AgentsOptions,
  type EntitiesOf,
  getEntitiesToken,
  LatchkeyModule,
} from "../../src/nestjs/index.js";
import { LatchkeyRegistry } from "../../src/nestjs/registry.js";
import { connection } from "../helpers/calls.js";
import { client, rejection } from "../helpers/client.js";
import { recordingNestLogger, startApp } from "../helpers/nest-app.js";
import { record } from "../helpers/recorder.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

async function root(agents: boolean | AgentsOptions = true, connection = "default") {
  const { url } = await useValkey();
  const namespace = freshNamespace();
  return { namespace, module: LatchkeyModule.forRoot({ url, namespace, agents, connection }) };
}

/** A spawner as users of the replaced service have it: it keeps sessions, and uses the service itself. */
@Injectable()
class Spawner {
  readonly cleaned: string[] = [];
  readonly lifecycle: AgentLifecycleService;

  constructor(@Inject(AgentLifecycleService) lifecycle: AgentLifecycleService) {
    this.lifecycle = lifecycle;
  }

  scheduleSessionCleanup(agentId: string): void {
    this.cleaned.push(agentId);
  }
}

@Module({ providers: [Spawner], exports: [Spawner] })
class SpawnerModule {}

describe("AgentLifecycleService", () => {
  it("has the log lines of the replaced service", async () => {
    const { lines, logger } = recordingNestLogger();
    const app = await startApp({ imports: [(await root()).module] }, { logger });
    const service = app.get(AgentLifecycleService);
    await service.registerSpawnedAgent("a1", "t1");
    await service.transitionToRunning("a1");
    await service.transitionToCompleted("a1");
    await service.registerSpawnedAgent("a2", "t1");
    await service.transitionToFailed("a2", "out of memory");
    await service.registerSpawnedAgent("a3", "t1");
    await service.transitionToKilled("a3");
    await rejection(service.transitionToRunning("a3"));
    const prefix = "[AgentLifecycleService]";
    expect(
      lines.filter((line) => line.includes(prefix)).map((line) => line.replace(` ${prefix}`, ":")),
    ).toEqual([
      "log: AgentLifecycleService initialized",
      "log: Transitioning agent a1 to running",
      "log: Agent a1 transitioned to running",
      "log: Transitioning agent a1 to completed",
      "log: Agent a1 transitioned to completed",
      "log: Transitioning agent a2 to failed: out of memory",
      "error: Agent a2 transitioned to failed: out of memory",
      "log: Transitioning agent a3 to killed",
      "warn: Agent a3 transitioned to killed",
      "log: Transitioning agent a3 to running",
    ]);
  });

  it("has the methods and messages of the replaced service, and its order per agent", async () => {
    const app = await startApp({ imports: [(await root()).module] });
    const service = app.get(AgentLifecycleService);
    await service.registerSpawnedAgent("a1", "t1", { model: "m" });
    const [running, completed, killed] = await Promise.allSettled([
      service.transitionToRunning("a1"),
      service.transitionToCompleted("a1"),
      service.transitionToKilled("a1"),
    ]);
    expect([running.status, completed.status]).toEqual(["fulfilled", "fulfilled"]);
    expect(killed).toMatchObject({
      reason: { message: "Invalid state transition from completed to killed" },
    });
    expect((await rejection(service.transitionToRunning("a9"))).message).toBe("Agent a9 not found");
    const state = await service.getAgentLifecycleState("a1");
    expect(state).toMatchObject({
      agentId: "a1",
      taskId: "t1",
      status: "completed",
      metadata: { model: "m" },
    });
    expect(await service.listAgentLifecycleStates()).toEqual([state]);
  });

  it("is the same class for modules that keep it among their own providers", async () => {
    @Module({ providers: [AgentLifecycleService, Spawner], exports: [AgentLifecycleService, Spawner] })
    class Kept {}
    const app = await startApp({ imports: [(await root()).module, Kept] });
    const { lifecycle } = app.get(Spawner);
    expect(lifecycle).toBeInstanceOf(AgentLifecycleService);
    expect((await lifecycle.registerSpawnedAgent("a1", "t1")).status).toBe("spawning");
  });

  it("uses the machine and the connection that the options name", async () => {
    const machine = agent({ version: 2, lease: "30s" });
    const { module } = await root({ machine }, "workers");
    const app = await startApp({ imports: [module, LatchkeyModule.forFeature([machine], "workers")] });
    await app.get(AgentLifecycleService).registerSpawnedAgent("a1", "t1");
    const agents: EntitiesOf<typeof machine> = app.get(getEntitiesToken("agent", "workers"));
    expect(agents.definition.version).toBe(2);
    expect((await agents.get("a1"))?.state).toBe("spawning");
  });

  it("is provided by one connection only", async () => {
    const imports = [(await root()).module, (await root(true, "second")).module];
    expect((await rejection(startApp({ imports }))).message).toMatch(
      /two connections have the option agents/,
    );
  });
});

describe("cleanup", () => {
  it("calls the spawner once for each end of an agent, whoever ended it", async () => {
    const { namespace, module } = await root({ cleanup: { spawner: Spawner } });
    const app = await startApp({ imports: [module, SpawnerModule] });
    const { cleaned, lifecycle } = app.get(Spawner);
    const elsewhere = await (await client({ namespace })).machine(agent());
    for (const id of ["a1", "a2", "a3"]) await lifecycle.registerSpawnedAgent(id, "t1");
    await lifecycle.transitionToRunning("a1");
    await lifecycle.transitionToCompleted("a1");
    await elsewhere.transition("a2", "killed");
    await lifecycle.transitionToFailed("a3", "boom");
    await expect.poll(() => [...cleaned].sort()).toEqual(["a1", "a2", "a3"]);
    expect(app.get(LatchkeyRegistry).work).toEqual([
      { connection: "default", name: "reaction session-cleanup", state: "running" },
    ]);
  });

  it("is shared by the replicas, and survives the end of the one that ended the agent", async () => {
    const { url } = await useValkey();
    const namespace = freshNamespace();
    const imports = (agents: AgentsOptions) => [LatchkeyModule.forRoot({ url, namespace, agents })];
    const first = await startApp({ imports: imports({ cleanup: { handler: () => {}, delay: "10ms" } }) });
    const service = first.get(AgentLifecycleService);
    await service.registerSpawnedAgent("a1", "t1");
    await first.close();
    const changes = await (await client({ namespace })).machine(agent());
    await changes.transition("a1", "killed");
    const cleaned: string[] = [];
    const handler = (id: string): void => void cleaned.push(id);
    await startApp({ imports: imports({ cleanup: { handler, delay: "10ms" } }) });
    await expect.poll(() => cleaned).toEqual(["a1"]);
  });

  it("is retried if the handler throws", async () => {
    const calls: string[] = [];
    const handler = (id: string): void => {
      calls.push(id);
      if (calls.length === 1) throw new Error("not yet");
    };
    const app = await startApp({ imports: [(await root({ cleanup: { handler } })).module] });
    const service = app.get(AgentLifecycleService);
    await service.registerSpawnedAgent("a1", "t1");
    await service.transitionToKilled("a1");
    await expect.poll(() => calls).toEqual(["a1", "a1"]);
  });

  it("in local mode runs in the replica whose call ended the agent, and a failure is logged", async () => {
    const { lines, logger } = recordingNestLogger();
    const cleaned: string[] = [];
    const handler = (id: string): void => {
      cleaned.push(id);
      throw new Error("disk full");
    };
    const { namespace, module } = await root({ cleanup: { handler, mode: "local" } });
    const app = await startApp({ imports: [module] }, { logger });
    const service = app.get(AgentLifecycleService);
    await service.registerSpawnedAgent("a1", "t1");
    await service.registerSpawnedAgent("a2", "t1");
    await (await (await client({ namespace })).machine(agent())).transition("a1", "killed");
    expect((await service.transitionToKilled("a2")).status).toBe("killed");
    await expect
      .poll(() => lines.join("\n"))
      .toContain("error [AgentLifecycleService] Cleanup of agent a2 failed: disk full");
    expect(cleaned).toEqual(["a2"]);
    expect(app.get(LatchkeyRegistry).work).toEqual([]);
  });

  it("needs a spawner that exists, lives as long as the application, and has the method", async () => {
    class Absent {}
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {
      scheduleSessionCleanup(): void {}
    }
    const start = async (spawner: never, providers: never[] = []) =>
      rejection(startApp({ imports: [(await root({ cleanup: { spawner } })).module], providers }));
    expect((await start(Absent as never)).message).toMatch(/spawner: no provider Absent/);
    expect((await start(PerRequest as never, [PerRequest] as never[])).message).toMatch(
      /no provider PerRequest/,
    );
    expect((await start(Absent as never, [Absent] as never[])).message).toMatch(
      /Absent has no method scheduleSessionCleanup/,
    );
  });
});

it("publishes the events on a channel in the format of the replaced service", async () => {
  const channel = freshNamespace();
  const recorder = await record(await connection(), channel);
  const app = await startApp({ imports: [(await root({ channel })).module] });
  const service = app.get(AgentLifecycleService);
  await service.registerSpawnedAgent("a1", "t1");
  await service.transitionToFailed("a1", "boom");
  await expect.poll(() => recorder.published()).toHaveLength(2);
  const timestamp = expect.any(String);
  expect((await recorder.published()).map((text) => JSON.parse(text))).toEqual([
    { type: "agent.spawned", agentId: "a1", taskId: "t1", timestamp },
    { type: "agent.failed", agentId: "a1", taskId: "t1", timestamp, error: "boom" },
  ]);
});

it.each<[object, RegExp]>([
  [{ cleanUp: {} }, /unknown option "cleanUp" in agents; did you mean "cleanup"/],
  [{ channel: 1 }, /agents.channel must be text/],
  [{ cleanup: {} }, /agents.cleanup needs either spawner/],
  [{ cleanup: { spawner: "S", handler: () => {} } }, /agents.cleanup needs either spawner/],
  [{ cleanup: { handler: "S" } }, /agents.cleanup.handler must be a function/],
  [{ cleanup: { spawner: "S", mode: "here" } }, /agents.cleanup.mode must be "shared" or "local"/],
  [{ cleanup: { spawner: "S", delay: "x" } }, /agents.cleanup.delay: invalid duration/],
  [{ cleanup: { spawner: "S", delay: "1s", mode: "local" } }, /only possible with mode "shared"/],
])("rejects agents %j at once", (agents, message) => {
  expect(() => LatchkeyModule.forRoot({ agents })).toThrow(message);
});
