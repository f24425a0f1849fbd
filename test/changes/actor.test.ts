import { AsyncLocalStorage } from "node:async_hooks";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { AgentLifecycle, agent, type ConnectOptions, ContractError, type Entities } from "../../src/index.js";
import type { AgentState } from "../../src/machine/agent.js";
import { client, rejectionOf } from "../helpers/client.js";

const any = (value: unknown) => value as never;

async function agentsBy(actor: ConnectOptions["actor"]): Promise<Entities<AgentState>> {
  return (await client(actor === undefined ? {} : { actor })).machine(agent());
}

async function actorsOf(list: Entities<AgentState>, id: string): Promise<(string | undefined)[]> {
  return (await list.history(id)).map(({ actor }) => actor);
}

describe("the actor of connect", () => {
  it("is stored with every change that names none", async () => {
    const list = await agentsBy("replica-1");
    await list.create("a1", {}, {});
    await list.transition("a1", "running", { actor: "ann" });
    await list.patch("a1", { set: { n: 1 }, actor: "" });
    const removed = await list.remove("a1");
    expect(removed.actor).toBe("replica-1");
    await list.restore("a1", "running", { version: 7 });
    await list.transition("a1", "killed");
    expect(await actorsOf(list, "a1")).toEqual(["replica-1", "replica-1"]);
  });

  it("gives way to the actor of a call, and to an empty one", async () => {
    const list = await agentsBy("replica-1");
    await list.create("a1", {}, { actor: "ann" });
    await list.patch("a1", { set: { n: 1 }, actor: "" });
    expect(await actorsOf(list, "a1")).toEqual(["ann", undefined]);
  });

  it("gives way to the actor of an AgentLifecycle", async () => {
    const list = await agentsBy("replica-1");
    await new AgentLifecycle(list).registerSpawnedAgent("a1", "t1");
    const named = new AgentLifecycle(list, { actor: "lifecycle" });
    await named.transitionToRunning("a1");
    await named.transitionToKilled("a1", { actor: "ann" });
    expect(await actorsOf(list, "a1")).toEqual(["replica-1", "lifecycle", "ann"]);
  });

  it.each([7, null, {}, ["x"]])("must be text or a function: %j is rejected", async (actor) => {
    const error = await rejectionOf(ContractError, client({ actor: any(actor) }));
    expect(error.message).toContain("actor must be text or a function that returns text, not ");
  });
});

describe("a function as the actor of connect", () => {
  it("is called in the async context of each call, also if calls of one entity wait for each other", async () => {
    const users = new AsyncLocalStorage<string>();
    const list = await agentsBy(() => users.getStore());
    const life = new AgentLifecycle(list);
    const calls = [
      users.run("ann", () => life.registerSpawnedAgent("a1", "t1")),
      users.run("bob", () => life.transitionToRunning("a1")),
      list.patch("a1", { set: { n: 1 } }),
      users.run("cid", () => list.tryPatch("a1", { set: { n: 2 } })),
      users.run("dan", () => life.transitionToFailed("a1", "e")),
    ];
    await Promise.all(calls);
    expect(await actorsOf(list, "a1")).toEqual(["ann", "bob", undefined, "cid", "dan"]);
    await users.run("eve", () => list.restore("a2", "running", { version: 1 }));
    expect(await actorsOf(list, "a2")).toEqual(["eve"]);
  });

  it("is called once for each change, before the call returns its promise", async () => {
    let calls = 0;
    const list = await agentsBy(() => `call ${++calls}`);
    const created = list.create("a1");
    const restored = list.restore("a2", "running", { version: 1 });
    expect(calls).toBe(2);
    await Promise.all([created, restored]);
    await list.create("a3", {}, { actor: "ann" });
    expect(calls).toBe(2);
    expect([await actorsOf(list, "a1"), await actorsOf(list, "a2")]).toEqual([["call 1"], ["call 2"]]);
  });

  const failing: [name: string, actor: () => unknown, text: string][] = [
    [
      "throws",
      () => {
        throw new Error("no request");
      },
      "the function actor failed: no request",
    ],
    ["returns a number", () => 7, "the function actor returned 7 instead of text"],
    ["returns a promise", async () => "ann", "the function actor returned a class instance instead of text"],
  ];

  it.each(failing)(
    "that %s costs the actor, not the change, and is reported once",
    async (_, actor, text) => {
      const list = await agentsBy(any(actor));
      const warned = once(process, "warning");
      const later: string[] = [];
      const listen = ({ message }: Error) => void later.push(message);
      await list.create("a1");
      const [warning] = await warned;
      expect(warning).toMatchObject({
        code: "LATCHKEY_ACTOR",
        message: `changes are stored without an actor: ${text}`,
      });
      process.on("warning", listen);
      await list.transition("a1", "running");
      await new Promise((resolve) => setImmediate(resolve));
      process.off("warning", listen);
      expect(later).toEqual([]);
      expect(await actorsOf(list, "a1")).toEqual([undefined, undefined]);
    },
  );

  it.each([undefined, null, ""])("that returns %j leaves the change without an actor", async (name) => {
    const list = await agentsBy(any(() => name));
    expect(await list.create("a1")).not.toHaveProperty("actor");
  });

  it("that fails is reported to the logger, if there is one", async () => {
    const lines: string[] = [];
    const log = (_: object, message: string) => void lines.push(message);
    const nothing = () => {};
    const logger = { debug: nothing, info: nothing, warn: log, error: log };
    const list = await (await client({ logger, actor: any(() => 7) })).machine(agent());
    await list.create("a1");
    await list.create("a2");
    expect(lines).toEqual([
      "changes are stored without an actor: the function actor returned 7 instead of text",
    ]);
  });
});
