import { describe, expect, it } from "vitest";
import { type AgentEvent, ReplacedService } from "../../demo/replaced-service.js";
import { admin } from "../helpers/calls.js";
import { describeLifecycle, type LifecycleSubject } from "../helpers/lifecycle-cases.js";
import { record } from "../helpers/recorder.js";
import { freshNamespace } from "../helpers/valkey.js";

async function open(): Promise<LifecycleSubject> {
  const valkey = await admin();
  const prefix = freshNamespace();
  const ended: string[] = [];
  const service = new ReplacedService(valkey, { prefix, onEnd: ({ agentId }) => void ended.push(agentId) });
  return {
    service,
    plant: async (agent) =>
      void (await valkey.set(`${prefix}:agent:${agent.agentId}`, JSON.stringify(agent))),
    channel: service.channel,
    ended,
  };
}

describeLifecycle("replaced service", open);

describe("replaced service, unlike latchkey:", () => {
  it("resets an agent whose id is registered again", async () => {
    const { service } = await open();
    await service.registerSpawnedAgent("a1", "t1");
    await service.transitionToRunning("a1");
    expect((await service.registerSpawnedAgent("a1", "t2")).status).toBe("spawning");
  });

  it("an event of a failure contains type, agent, task, time and error, and nothing else", async () => {
    const { service, channel } = await open();
    await service.registerSpawnedAgent("a1", "t1");
    const events = await record(await admin(), channel);
    await service.transitionToFailed("a1", "exit 1");
    const [event = "{}"] = await events.published();
    expect(Object.keys(JSON.parse(event)).sort()).toEqual([
      "agentId",
      "error",
      "taskId",
      "timestamp",
      "type",
    ]);
  });

  it("an id may contain spaces, slashes and letters of any language", async () => {
    const { service, plant } = await open();
    await plant({ agentId: "büro 7/агент", taskId: "t1", status: "spawning" });
    expect((await service.transitionToRunning("büro 7/агент")).status).toBe("running");
  });
});

it("two replaced services accept two ends of one agent, and one event contradicts the stored state", async () => {
  const valkey = await admin();
  const prefix = freshNamespace();
  const ended: string[] = [];
  const options = { prefix, onEnd: ({ status }: { status: string }) => void ended.push(status) };
  const [first, second] = [new ReplacedService(valkey, options), new ReplacedService(valkey, options)];
  await first.registerSpawnedAgent("a1", "t1");
  await first.transitionToRunning("a1");
  const events = await record(valkey, first.channel);
  // Both send their first GET before either receives a reply, so both read "running".
  await Promise.all([first.transitionToCompleted("a1"), second.transitionToKilled("a1")]);
  const types = (await events.published()).map((message) => (JSON.parse(message) as AgentEvent).type);
  expect(types.sort()).toEqual(["agent.completed", "agent.killed"]);
  expect(ended.sort()).toEqual(["completed", "killed"]);
  expect(["completed", "killed"]).toContain((await first.getAgentLifecycleState("a1"))?.status);
});
