import { describe, expect, it } from "vitest";
import { ContractError } from "../../src/index.js";
import { rejectionOf } from "../helpers/client.js";
import { type LifecycleUnderTest, lifecycle } from "../helpers/lifecycle.js";

type Call = (under: LifecycleUnderTest, options: object) => Promise<unknown>;

const transitions: Record<string, Call> = {
  transitionToRunning: ({ life }, options) => life.transitionToRunning("a1", options),
  transitionToCompleted: async ({ life }, options) => {
    await life.transitionToRunning("a1");
    return life.transitionToCompleted("a1", options);
  },
  transitionToFailed: ({ life }, options) => life.transitionToFailed("a1", "e", options),
  transitionToKilled: ({ life }, options) => life.transitionToKilled("a1", options),
};
const register: Call = ({ life }, options) => life.registerSpawnedAgent("a2", "t2", undefined, options);
const reads: Record<string, Call> = {
  getAgentLifecycleState: ({ life }, options) => life.getAgentLifecycleState("a1", options),
  listAgentLifecycleStates: ({ life }, options) => life.listAgentLifecycleStates(options),
};

async function spawned(): Promise<LifecycleUnderTest> {
  const under = await lifecycle({ actor: "replica-1" });
  await under.life.registerSpawnedAgent("a1", "t1");
  return under;
}

describe.each(Object.entries(transitions))("%s", (_, call) => {
  it("stores the actor, the reason and the idempotency key of the call", async () => {
    const under = await spawned();
    await call(under, { actor: "ann", reason: "by hand", op: "op-1" });
    const last = (await under.on.history("a1")).at(-1);
    expect(last).toMatchObject({ actor: "ann", reason: "by hand", op: "op-1" });
  });

  it("stores the actor of the lifecycle if the call has none", async () => {
    const under = await spawned();
    await call(under, { reason: "by hand" });
    expect((await under.on.history("a1")).at(-1)).toMatchObject({ actor: "replica-1", reason: "by hand" });
  });
});

it("registerSpawnedAgent stores the actor, the reason and the idempotency key of the call", async () => {
  const under = await spawned();
  await register(under, { actor: "ann", reason: "more load", op: "op-1" });
  await register(under, { actor: "ann", reason: "more load", op: "op-1" });
  expect(await under.on.history("a2")).toMatchObject([{ actor: "ann", reason: "more load", op: "op-1" }]);
});

it("a read takes a timeout and a signal", async () => {
  const { life } = await spawned();
  const gone = AbortSignal.abort(new Error("gone"));
  expect(await life.getAgentLifecycleState("a1", { timeout: "1m" })).toMatchObject({ agentId: "a1" });
  expect(await life.listAgentLifecycleStates({ timeout: "1m" })).toHaveLength(1);
  await expect(life.getAgentLifecycleState("a1", { signal: gone })).rejects.toThrow("gone");
});

describe("an option that a method does not have is rejected, and changes nothing:", () => {
  const invalid: [name: string, call: Call, options: object, text: string][] = [
    ...Object.entries(transitions)
      .filter(([name]) => name !== "transitionToCompleted")
      .flatMap(([name, call]): [string, Call, object, string][] => [
        [name, call, { reasn: "x" }, 'unknown option "reasn"; did you mean "reason"?'],
        [name, call, { set: { error: "e" } }, 'unknown option "set"'],
        [name, call, { ifVersion: undefined }, "ifVersion is undefined; give a value or omit it"],
      ]),
    ["registerSpawnedAgent", register, { ifVersion: 1 }, 'unknown option "ifVersion"'],
    [
      "getAgentLifecycleState",
      reads.getAgentLifecycleState as Call,
      { actor: "ann" },
      'unknown option "actor"',
    ],
    [
      "listAgentLifecycleStates",
      reads.listAgentLifecycleStates as Call,
      { state: "x" },
      'unknown option "state"',
    ],
  ];

  it.each(invalid)("%s", async (_, call, options, text) => {
    const under = await spawned();
    const before = await under.on.get("a1");
    const error = await rejectionOf(ContractError, call(under, options));
    expect(error).toMatchObject({ code: "BADARG", message: expect.stringContaining(text) });
    expect(await under.on.get("a1")).toEqual(before);
    expect(await under.on.get("a2")).toBeNull();
    expect(under.ended).toEqual([]);
  });
});
