import { once } from "node:events";
import { describe, expect, it } from "vitest";
import {
  AgentLifecycle,
  AgentLifecycleError,
  type AgentLifecycleState,
  agent,
  type Entities,
} from "../../src/index.js";
import type { AgentState } from "../../src/machine/agent.js";
import { client, rejectionOf } from "../helpers/client.js";
import { lifecycle } from "../helpers/lifecycle.js";

describe("the cleanup handler", () => {
  it("is called once for each final state, with the agent", async () => {
    const ended: AgentLifecycleState[] = [];
    const { life } = await lifecycle({ onEnd: (state) => void ended.push(state) });
    for (const id of ["a1", "a2", "a3"]) await life.registerSpawnedAgent(id, `t-${id}`);
    await life.transitionToRunning("a1");
    expect(ended).toEqual([]);
    const ends = [
      await life.transitionToCompleted("a1"),
      await life.transitionToFailed("a2", "boom"),
      await life.transitionToKilled("a3"),
    ];
    expect(ended).toEqual(ends);
    await rejectionOf(AgentLifecycleError, life.transitionToKilled("a3"));
    expect(ended).toHaveLength(3);
  });

  it("is not waited for, so that a slow or stuck cleanup delays no caller", async () => {
    const { life } = await lifecycle({ onEnd: () => new Promise<void>(() => {}) });
    await life.registerSpawnedAgent("a1", "t1");
    expect((await life.transitionToKilled("a1")).status).toBe("killed");
  });

  it("gets an agent of its own, which the caller's changes do not reach", async () => {
    const ended: AgentLifecycleState[] = [];
    const { life } = await lifecycle({ onEnd: (state) => void ended.push(state) });
    await life.registerSpawnedAgent("a1", "t1", { host: "h1" });
    const killed = await life.transitionToKilled("a1");
    killed.error = "noted";
    if (killed.metadata !== undefined) killed.metadata.host = "h2";
    expect(ended).toMatchObject([{ metadata: { host: "h1" } }]);
    expect(ended[0]).not.toHaveProperty("error");
  });

  it("is called again by a repeated call with the same idempotency key, whose first process may have crashed", async () => {
    const { life, on, ended } = await lifecycle();
    await life.registerSpawnedAgent("a1", "t1");
    await life.transitionToKilled("a1", { op: "kill-1" });
    expect((await life.transitionToKilled("a1", { op: "kill-1" })).status).toBe("killed");
    expect(ended).toEqual(["a1", "a1"]);
    expect(await on.history("a1")).toHaveLength(2);
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
    await expect.poll(() => failures).toEqual([["session is stuck", "a1"]]);
    expect((await life.getAgentLifecycleState("a1"))?.status).toBe("killed");
  });

  it.each([
    [new Error("session is stuck"), "session is stuck"],
    [Object.create(null), "[Object: null prototype] {}"],
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

  it("causes a process warning if onEndFailed fails too", async () => {
    const { life } = await lifecycle({
      onEnd: () => Promise.reject(new Error("session is stuck")),
      onEndFailed: () => {
        throw new Error("no logger");
      },
    });
    await life.registerSpawnedAgent("a1", "t1");
    const warned = once(process, "warning");
    await life.transitionToKilled("a1");
    const [warning] = await warned;
    expect(warning).toMatchObject({ message: "onEnd of agent a1 failed: no logger" });
  });
});
