import { once } from "node:events";
import { describe, expect, it } from "vitest";
import {
  AgentLifecycle,
  AgentLifecycleError,
  type AgentLifecycleOptions,
  type AgentLifecycleState,
  agent,
  type Entities,
  type JsonValue,
} from "../src/index.js";
import type { AgentState } from "../src/machine/agent.js";
import { admin } from "./helpers/calls.js";
import { agents, client, rejectionOf } from "./helpers/client.js";
import { record } from "./helpers/recorder.js";

async function lifecycle(
  options: AgentLifecycleOptions = {},
): Promise<{ on: Entities<AgentState>; life: AgentLifecycle }> {
  const on = await agents();
  return { on, life: new AgentLifecycle(on, options) };
}

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

  it.each([
    ["longer than a field can be", '"'.repeat(70_000), `${'"'.repeat(31_997)}…`],
    ["longer than a field can be, in another language", "ü".repeat(70_000), `${"ü".repeat(15_998)}…`],
    ["in colours", "\u001b[31mError\u001b[39m:\n\tboom\u0000", "Error:\n\tboom "],
    ["cut in the middle of a character", "exit \ud83d", "exit \ufffd"],
    ["of the greatest length", "x".repeat(32_000), "x".repeat(32_000)],
  ])("ends failed, and is cleaned up, with an error text %s", async (_, error, kept) => {
    const ended: string[] = [];
    const { life } = await lifecycle({ onEnd: ({ agentId }) => void ended.push(agentId) });
    await life.registerSpawnedAgent("a1", "t1");
    expect((await life.transitionToFailed("a1", error)).error).toBe(kept);
    expect((await life.getAgentLifecycleState("a1"))?.error).toBe(kept);
    expect(ended).toEqual(["a1"]);
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

describe("a rejection reports, in the words of the replaced service,", () => {
  const moves: Record<string, (life: AgentLifecycle, id: string) => Promise<unknown>> = {
    running: (life, id) => life.transitionToRunning(id),
    completed: (life, id) => life.transitionToCompleted(id),
    failed: (life, id) => life.transitionToFailed(id, "e"),
    killed: (life, id) => life.transitionToKilled(id),
  };

  it.each(Object.entries(moves))("that the agent does not exist (%s)", async (_, move) => {
    const { life } = await lifecycle();
    const error = await rejectionOf(AgentLifecycleError, move(life, "a1"));
    expect(error).toMatchObject({
      code: "NOTFOUND",
      name: "AgentLifecycleError",
      message: "Agent a1 not found",
    });
  });

  const way = {
    spawning: [],
    running: ["running"],
    completed: ["running", "completed"],
    failed: ["failed"],
    killed: ["killed"],
  };
  const { states } = agent();
  for (const [from, steps] of Object.entries(way)) {
    for (const to of Object.keys(moves)) {
      if (states[from as AgentState].to?.includes(to as AgentState)) continue;
      it(`that a transition from ${from} to ${to} does not exist`, async () => {
        const { life } = await lifecycle();
        await life.registerSpawnedAgent("a1", "t1");
        for (const step of steps) await moves[step]?.(life, "a1");
        const error = await rejectionOf(AgentLifecycleError, moves[to]?.(life, "a1") ?? Promise.resolve());
        expect(error.code).toBe("ILLEGAL");
        expect(error.message).toBe(`Invalid state transition from ${from} to ${to}`);
      });
    }
  }

  it("that the id is in use", async () => {
    const { life } = await lifecycle();
    await life.registerSpawnedAgent("a1", "t1");
    const error = await rejectionOf(AgentLifecycleError, life.registerSpawnedAgent("a1", "t2"));
    expect(error).toMatchObject({ code: "EXISTS", message: "Agent a1 already exists" });
    expect((await life.getAgentLifecycleState("a1"))?.taskId).toBe("t1");
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

describe("the cleanup handler", () => {
  it("is called once for each final state, with the agent, and is awaited", async () => {
    const ended: AgentLifecycleState[] = [];
    let cleaned = 0;
    const { life } = await lifecycle({
      onEnd: async (state) => {
        ended.push(state);
        await new Promise((resolve) => setImmediate(resolve));
        cleaned += 1;
      },
    });
    for (const id of ["a1", "a2", "a3"]) await life.registerSpawnedAgent(id, `t-${id}`);
    await life.transitionToRunning("a1");
    expect(ended).toEqual([]);
    const ends = [
      await life.transitionToCompleted("a1"),
      await life.transitionToFailed("a2", "boom"),
      await life.transitionToKilled("a3"),
    ];
    expect(ended).toEqual(ends);
    expect(cleaned).toBe(3);
    await rejectionOf(AgentLifecycleError, life.transitionToKilled("a3"));
    expect(cleaned).toBe(3);
  });

  it("is called once, by the winner, if two replicas end an agent at once", async () => {
    const home = await client();
    const other = await client({ namespace: home.namespace });
    const called: string[] = [];
    const life = async (name: string, on: Entities<AgentState>) =>
      new AgentLifecycle(on, { actor: name, onEnd: ({ agentId }) => void called.push(`${name}:${agentId}`) });
    const one = await life("one", await home.machine(agent()));
    const two = await life("two", await other.machine(agent()));
    for (let round = 0; round < 30; round++) {
      const id = `a${round}`;
      await one.registerSpawnedAgent(id, "t1");
      const results = await Promise.allSettled([
        one.transitionToFailed(id, "lost"),
        two.transitionToKilled(id),
        two.transitionToFailed(id, "lost too"),
      ]);
      expect(results.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      const winner = (await (await home.machine(agent())).history(id)).at(-1)?.actor;
      expect(called.slice(round)).toEqual([`${winner}:${id}`]);
    }
  });

  it("does not undo the end if it fails, and its failure is reported", async () => {
    const failures: unknown[] = [];
    const { life } = await lifecycle({
      onEnd: () => Promise.reject(new Error("session is stuck")),
      onEndFailed: (error, state) => void failures.push([(error as Error).message, state.agentId]),
    });
    await life.registerSpawnedAgent("a1", "t1");
    expect((await life.transitionToKilled("a1")).status).toBe("killed");
    expect(failures).toEqual([["session is stuck", "a1"]]);
    expect((await life.getAgentLifecycleState("a1"))?.status).toBe("killed");
  });

  it.each([
    [new Error("session is stuck"), "session is stuck"],
    [Object.create(null), "a value that cannot be shown as text was thrown"],
  ])("causes a process warning if it fails without onEndFailed, run %#", async (thrown, text) => {
    const { life } = await lifecycle({
      onEnd: () => {
        throw thrown;
      },
    });
    await life.registerSpawnedAgent("a1", "t1");
    const warned = once(process, "warning");
    await life.transitionToKilled("a1");
    const [warning] = await warned;
    expect(warning).toMatchObject({
      code: "LATCHKEY_ON_END",
      message: `onEnd of agent a1 failed: ${text}`,
    });
  });
});

it("reports a malformed id, as every call does", async () => {
  const { life } = await lifecycle();
  await expect(life.registerSpawnedAgent("a 1", "t1")).rejects.toMatchObject({ code: "BADARG" });
  await expect(life.getAgentLifecycleState("")).rejects.toMatchObject({ code: "BADARG" });
});
