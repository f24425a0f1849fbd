import { describe, expect, it } from "vitest";
import {
  AgentLifecycle,
  AgentLifecycleError,
  AlreadyExistsError,
  agent,
  ConflictError,
  ContractError,
  IllegalTransitionError,
  LatchkeyError,
  NotFoundError,
  RejectedError,
} from "../../src/index.js";
import type { AgentState } from "../../src/machine/agent.js";
import { admin } from "../helpers/calls.js";
import { client, rejectionOf } from "../helpers/client.js";
import { keyspace } from "../helpers/keyspace.js";
import { lifecycle, moves } from "../helpers/lifecycle.js";

describe("a rejection reports, in the words of the replaced service,", () => {
  it.each(Object.entries(moves))("that the agent does not exist (%s)", async (to, move) => {
    const { life } = await lifecycle();
    const error = await rejectionOf(AgentLifecycleError, move(life, "a1"));
    expect(error).toMatchObject({
      code: "NOTFOUND",
      name: "AgentLifecycleError",
      message: "Agent a1 not found",
      ...{ id: "a1", from: null, to, current: null, cause: expect.any(NotFoundError) },
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
        const { life, on } = await lifecycle();
        await life.registerSpawnedAgent("a1", "t1");
        for (const step of steps) await moves[step]?.(life, "a1");
        const error = await rejectionOf(AgentLifecycleError, moves[to]?.(life, "a1") ?? Promise.resolve());
        expect(error.code).toBe("ILLEGAL");
        expect(error.message).toBe(`Invalid state transition from ${from} to ${to}`);
        expect(error).toMatchObject({ id: "a1", from, to, current: { state: from, taskId: "t1" } });
        expect(error.cause).toBeInstanceOf(IllegalTransitionError);
        expect(await on.get("a1")).toEqual(error.current);
      });
    }
  }

  it("that the id is in use", async () => {
    const { life } = await lifecycle();
    await life.registerSpawnedAgent("a1", "t1");
    const error = await rejectionOf(AgentLifecycleError, life.registerSpawnedAgent("a1", "t2"));
    expect(error).toMatchObject({ code: "EXISTS", message: "Agent a1 already exists" });
    expect(error).toMatchObject({ id: "a1", from: "spawning", to: "spawning", current: { taskId: "t1" } });
    expect(error.cause).toBeInstanceOf(AlreadyExistsError);
    expect((await life.getAgentLifecycleState("a1"))?.taskId).toBe("t1");
  });
});

it("a rejection is a LatchkeyError and a RejectedError, with the version for the next attempt", async () => {
  const { life } = await lifecycle();
  await life.registerSpawnedAgent("a1", "t1");
  const error = await rejectionOf(AgentLifecycleError, life.transitionToCompleted("a1"));
  expect(error).toBeInstanceOf(LatchkeyError);
  expect(error).toBeInstanceOf(RejectedError);
  const ifVersion = error.current?.version ?? 0;
  expect((await life.transitionToRunning("a1", { ifVersion })).status).toBe("running");
});

it("a call with another version than the expected one is rejected, and changes nothing", async () => {
  const { life, on, ended } = await lifecycle();
  await life.registerSpawnedAgent("a1", "t1");
  const before = await on.get("a1");
  const error = await rejectionOf(AgentLifecycleError, life.transitionToKilled("a1", { ifVersion: 7 }));
  expect(error).toMatchObject({
    code: "CONFLICT",
    id: "a1",
    from: "spawning",
    to: "killed",
    current: before,
  });
  expect(error.message).toBe("agent a1 does not match: expected version 7; found state spawning, version 1");
  expect(error.cause).toBeInstanceOf(ConflictError);
  expect(await on.get("a1")).toEqual(before);
  expect(ended).toEqual([]);
});

describe("an id that no agent can have", () => {
  const many = "x".repeat(1_000_000);
  const ids: [name: string, id: unknown, shown: string][] = [
    ["that is empty", "", ""],
    ["of spaces", "   ", "   "],
    ["with spaces and umlauts", "agent one/ä", "agent one/ä"],
    ["of 1 MB", many, `${"x".repeat(125)}…`],
    ["with a newline", "a\nb", "a b"],
    ["that is undefined", undefined, "undefined"],
    ["that is null", null, "null"],
    ["that is a number", 7, "7"],
    ["that is an object", { id: "a1" }, '{"id":"a1"}'],
    ["that is a symbol", Symbol("a1"), "Symbol(a1)"],
  ];

  it.each(ids)("%s is not found by any transition, and null for a read", async (_, id, shown) => {
    const home = await client();
    const life = new AgentLifecycle(await home.machine(agent()));
    const before = await keyspace(await admin(), home.namespace);
    for (const [to, move] of Object.entries(moves)) {
      const error = await rejectionOf(AgentLifecycleError, move(life, id as string));
      expect(error).toMatchObject({ code: "NOTFOUND", message: `Agent ${shown} not found` });
      expect(error).toMatchObject({ id: shown, from: null, to, current: null });
      expect((error.cause as Error).message).toContain("must be 1 to 128 letters, digits");
    }
    expect(await life.getAgentLifecycleState(id as string)).toBeNull();
    expect(await keyspace(await admin(), home.namespace)).toEqual(before);
  });

  it.each(ids)("%s cannot be registered: the error lists what is allowed", async (_, id) => {
    const home = await client();
    const life = new AgentLifecycle(await home.machine(agent()));
    const before = await keyspace(await admin(), home.namespace);
    const error = await rejectionOf(ContractError, life.registerSpawnedAgent(id as string, "t1"));
    expect(error.code).toBe("BADARG");
    expect(error.message).toContain("must be 1 to 128 letters, digits or characters of _ . ~ : / @ + = -");
    expect(await keyspace(await admin(), home.namespace)).toEqual(before);
  });
});
