import { describe, expect, it } from "vitest";
import { AgentLifecycle, AgentLifecycleError, agent, ContractError, type Fields } from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { client, rejectionOf } from "../helpers/client.js";
import { describeLifecycle, type LifecycleSubject } from "../helpers/lifecycle-cases.js";
import { record } from "../helpers/recorder.js";

async function open(): Promise<LifecycleSubject> {
  const home = await client();
  const agents = await home.machine(agent());
  const ended: string[] = [];
  return {
    service: new AgentLifecycle(agents, { onEnd: ({ agentId }) => void ended.push(agentId) }),
    // As an import does it: with the state and the stamps that the agent had in the replaced service.
    plant: async ({ status, ...record }) => {
      const fields = { ...(status === "failed" && { error: "e" }), ...record };
      await agents.restore(record.agentId, status, { version: 1, fields: fields as Fields });
    },
    channel: `${home.namespace}:agent:events`,
    ended,
  };
}

describeLifecycle("AgentLifecycle", open);

describe("AgentLifecycle, unlike the replaced service:", () => {
  it("an id that is registered again is rejected, and the agent stays as it is", async () => {
    const { service, channel } = await open();
    await service.registerSpawnedAgent("a1", "t1");
    const running = await service.transitionToRunning("a1");
    const events = await record(await admin(), channel);
    const error = await rejectionOf(AgentLifecycleError, service.registerSpawnedAgent("a1", "t2"));
    expect(error).toMatchObject({ code: "EXISTS", message: "Agent a1 already exists", from: "running" });
    expect(await service.getAgentLifecycleState("a1")).toEqual(running);
    expect(await events.published()).toEqual([]);
  });

  it("an id has at most 128 letters, digits and some other characters", async () => {
    const { service, plant } = await open();
    await rejectionOf(ContractError, service.registerSpawnedAgent("büro 7/агент", "t1"));
    expect(await service.listAgentLifecycleStates()).toEqual([]);
    await rejectionOf(ContractError, plant({ agentId: "büro 7", taskId: "t1", status: "spawning" }));
    expect(await service.listAgentLifecycleStates()).toEqual([]);
    const longest = `org/team:${"x".repeat(119)}`;
    expect((await service.registerSpawnedAgent(longest, "t1")).agentId).toBe(longest);
  });

  it("an event has the members of the replaced service, and those of a change", async () => {
    const { service, channel } = await open();
    await service.registerSpawnedAgent("a1", "t1");
    const events = await record(await admin(), channel);
    await service.transitionToFailed("a1", "exit 1");
    const [event = "{}"] = await events.published();
    const known = { type: "agent.failed", agentId: "a1", taskId: "t1", error: "exit 1" };
    const added = { machine: "agent", id: "a1", from: "spawning", state: "failed", version: 2 };
    expect(JSON.parse(event)).toMatchObject({ ...known, ...added });
  });

  it("a failure without an error text stores a text for it", async () => {
    const { service } = await open();
    await service.registerSpawnedAgent("a1", "t1");
    const absent = undefined as unknown as string; // JavaScript callers do this
    expect((await service.transitionToFailed("a1", absent)).error).toBe("no error text was given");
  });

  it("the start of an old agent cannot be registered or set, only restored", async () => {
    const home = await client();
    const agents = await home.machine(agent());
    const startedAt = "2025-11-05T08:30:00.000Z";
    await rejectionOf(ContractError, agents.create("a1", { taskId: "t1", startedAt }));
    expect(await agents.get("a1")).toBeNull();
    await agents.restore("a1", "running", { version: 1, fields: { taskId: "t1", startedAt } });
    expect(await new AgentLifecycle(agents).getAgentLifecycleState("a1")).toMatchObject({ startedAt });
  });
});
