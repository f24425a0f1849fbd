import { describe, expect, it } from "vitest";
import { AgentLifecycle, AgentLifecycleError, agent, type JsonValue } from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { client, rejectionOf } from "../helpers/client.js";
import { lifecycle } from "../helpers/lifecycle.js";
import { record } from "../helpers/recorder.js";

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe("an agent's life", () => {
  it("begins spawning, with its task and metadata", async () => {
    const { life } = await lifecycle();
    const metadata = { host: "h1", tries: [1, 2] };
    const spawned = { agentId: "a1", taskId: "t1", status: "spawning", metadata };
    expect(await life.registerSpawnedAgent("a1", "t1", metadata)).toEqual(spawned);
    expect(await life.getAgentLifecycleState("a1")).toEqual(spawned);
    expect(await life.registerSpawnedAgent("a2", "t2")).toEqual({
      agentId: "a2",
      taskId: "t2",
      status: "spawning",
    });
  });

  it("runs with one stamp, and ends completed with one stamp", async () => {
    const { life } = await lifecycle();
    await life.registerSpawnedAgent("a1", "t1");
    const running = await life.transitionToRunning("a1");
    expect(running).toEqual({
      agentId: "a1",
      taskId: "t1",
      status: "running",
      startedAt: expect.stringMatching(ISO),
    });
    const completed = await life.transitionToCompleted("a1");
    expect(completed).toEqual({ ...running, status: "completed", completedAt: expect.stringMatching(ISO) });
    await rejectionOf(AgentLifecycleError, life.transitionToCompleted("a1"));
    await rejectionOf(AgentLifecycleError, life.transitionToRunning("a1"));
    expect(await life.getAgentLifecycleState("a1")).toEqual(completed);
  });

  it.each([false, true])("ends failed with its error (running before: %s)", async (ran) => {
    const { life } = await lifecycle();
    await life.registerSpawnedAgent("a1", "t1");
    if (ran) await life.transitionToRunning("a1");
    const failed = await life.transitionToFailed("a1", "exit 137");
    expect(failed).toMatchObject({
      status: "failed",
      error: "exit 137",
      completedAt: expect.stringMatching(ISO),
    });
    expect("startedAt" in failed).toBe(ran);
  });

  it.each([false, true])("ends killed (running before: %s)", async (ran) => {
    const { life } = await lifecycle();
    await life.registerSpawnedAgent("a1", "t1");
    if (ran) await life.transitionToRunning("a1");
    const killed = await life.transitionToKilled("a1");
    expect(killed).toMatchObject({ status: "killed", completedAt: expect.stringMatching(ISO) });
    expect("startedAt" in killed).toBe(ran);
  });

  it("accepts an empty error, and an error in any language", async () => {
    const { life } = await lifecycle();
    for (const [id, error] of [
      ["a1", ""],
      ["a2", 'line 1\nline "2" ü𝄞'],
    ] as const) {
      await life.registerSpawnedAgent(id, "t1");
      expect((await life.transitionToFailed(id, error)).error).toBe(error);
    }
  });
});

it("returns null for an agent that does not exist, and lists all agents", async () => {
  const { life } = await lifecycle();
  expect(await life.getAgentLifecycleState("a1")).toBeNull();
  expect(await life.listAgentLifecycleStates()).toEqual([]);
  await life.registerSpawnedAgent("a1", "t1");
  await life.registerSpawnedAgent("a2", "t2");
  await life.registerSpawnedAgent("a3", "t3");
  await life.transitionToRunning("a1");
  await life.transitionToFailed("a3", "boom");
  const listed = await life.listAgentLifecycleStates();
  expect(listed.map(({ agentId, status }) => [agentId, status])).toEqual([
    ["a2", "spawning"],
    ["a1", "running"],
    ["a3", "failed"],
  ]);
  for (const state of listed) expect(await life.getAgentLifecycleState(state.agentId)).toEqual(state);
});

it("returns agents that others created without a task, or with errors that are not text", async () => {
  const { life, on } = await lifecycle();
  await on.create("a1", { metadata: null });
  await on.transition("a1", "failed", { set: { error: { exit: 137 } } });
  expect(await life.getAgentLifecycleState("a1")).toMatchObject({
    ...{ agentId: "a1", taskId: "", status: "failed", error: '{"exit":137}', metadata: null },
  });
});

it("publishes the messages that subscribers of the service expect", async () => {
  const home = await client();
  const life = new AgentLifecycle(await home.machine(agent()), { actor: "replica-1" });
  const recorder = await record(await admin(), `${home.namespace}:agent:events`);
  const spawned = await life.registerSpawnedAgent("a1", "t1", { host: "h1" });
  const { startedAt } = await life.transitionToRunning("a1");
  const { completedAt } = await life.transitionToFailed("a1", "exit 1");
  await life.registerSpawnedAgent("a2", "t2");
  await life.transitionToKilled("a2");
  await life.registerSpawnedAgent("a3", "t3");
  await life.transitionToRunning("a3");
  await life.transitionToCompleted("a3");
  await rejectionOf(AgentLifecycleError, life.transitionToCompleted("a3"));
  const events = (await recorder.published()).map((text) => JSON.parse(text) as Record<string, JsonValue>);
  expect(events.map(({ type, agentId, taskId }) => [type, agentId, taskId])).toEqual([
    ["agent.spawned", "a1", "t1"],
    ["agent.running", "a1", "t1"],
    ["agent.failed", "a1", "t1"],
    ["agent.spawned", "a2", "t2"],
    ["agent.killed", "a2", "t2"],
    ["agent.spawned", "a3", "t3"],
    ["agent.running", "a3", "t3"],
    ["agent.completed", "a3", "t3"],
  ]);
  for (const { timestamp } of events) expect(timestamp).toMatch(ISO);
  const [first, , failed] = events;
  expect(spawned.metadata).toEqual({ host: "h1" });
  expect(failed).toEqual({
    ...{ type: "agent.failed", machine: "agent", id: "a1", from: "running", state: "failed", version: 3 },
    ...{ timestamp: completedAt, since: completedAt, createdAt: first?.createdAt, actor: "replica-1" },
    op: expect.any(String),
    ...{ agentId: "a1", taskId: "t1", metadata: { host: "h1" }, startedAt, completedAt, error: "exit 1" },
  });
  for (const event of events) expect("error" in event).toBe(event.type === "agent.failed");
});
