import { expect, it, onTestFinished } from "vitest";
import { AgentLifecycle, agent, ContractError, type Latchkey } from "../../src/index.js";
import { fakeEntities } from "../../src/testing/index.js";
import { admin } from "../helpers/calls.js";
import { all, client, rejectionOf } from "../helpers/client.js";
import { type Recorder, record } from "../helpers/recorder.js";

/** A replica with its own client in the namespace of another, or in a new one. */
async function replica(namespace?: string): Promise<{ home: Latchkey; life: AgentLifecycle }> {
  const home = await client(namespace === undefined ? {} : { namespace });
  return { home, life: new AgentLifecycle(await home.machine(agent())) };
}

type Message = Record<string, string>;

async function messages({ published }: Recorder): Promise<Message[]> {
  return (await published()).map((text) => JSON.parse(text) as Message);
}

const briefOf = ({ agentId, type }: Message) => `${agentId} ${type}`;

it("publishes each event with exactly the members of the replaced service", async () => {
  const { home, life } = await replica();
  const channel = `${home.namespace}-old:events`;
  const recorder = await record(await admin(), channel);
  await using _publishing = await life.publishEvents(channel);
  await life.registerSpawnedAgent("a1", "t1", { host: "h1" }, { actor: "ann" });
  const { startedAt } = await life.transitionToRunning("a1");
  const { completedAt } = await life.transitionToFailed("a1", "exit 1");
  await life.registerSpawnedAgent("a2", "t2");
  await life.transitionToKilled("a2");
  await life.registerSpawnedAgent("a3", "t3");
  await life.transitionToRunning("a3");
  await life.transitionToCompleted("a3");
  await expect.poll(() => messages(recorder)).toHaveLength(8);
  const found = await messages(recorder);
  const ofAgent = (id: string) => found.filter(({ agentId }) => agentId === id);
  const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(ofAgent("a1")).toEqual([
    { type: "agent.spawned", agentId: "a1", taskId: "t1", timestamp },
    { type: "agent.running", agentId: "a1", taskId: "t1", timestamp: startedAt },
    { type: "agent.failed", agentId: "a1", taskId: "t1", timestamp: completedAt, error: "exit 1" },
  ]);
  expect(ofAgent("a2")).toEqual([
    { type: "agent.spawned", agentId: "a2", taskId: "t2", timestamp },
    { type: "agent.killed", agentId: "a2", taskId: "t2", timestamp },
  ]);
  expect(ofAgent("a3").map(({ type }) => type)).toEqual([
    "agent.spawned",
    "agent.running",
    "agent.completed",
  ]);
});

it("publishes no updates, removals and restored agents, which the replaced service did not have", async () => {
  const { home, life } = await replica();
  const list = await home.machine(agent());
  const channel = `${home.namespace}-old:events`;
  const recorder = await record(await admin(), channel);
  await using _publishing = await life.publishEvents(channel);
  await list.restore("a1", "running", { version: 1, fields: { taskId: "t1" } });
  await list.patch("a1", { set: { n: 1 } });
  await life.transitionToKilled("a1");
  await list.remove("a1");
  await life.registerSpawnedAgent("a1", "t2");
  await expect.poll(() => messages(recorder)).toHaveLength(2);
  expect((await messages(recorder)).map(briefOf)).toEqual(["a1 agent.killed", "a1 agent.spawned"]);
});

it("shares the work among replicas: each event is published once, in order per agent", async () => {
  const first = await replica();
  const second = await replica(first.home.namespace);
  const channel = `${first.home.namespace}-old:events`;
  const recorder = await record(await admin(), channel);
  await using _one = await first.life.publishEvents(channel);
  await using _two = await second.life.publishEvents(channel);
  const ids = Array.from({ length: 10 }, (_, n) => `a${n}`);
  await Promise.all(
    ids.map(async (id) => {
      await first.life.registerSpawnedAgent(id, "t1");
      await second.life.transitionToRunning(id);
      await first.life.transitionToCompleted(id);
    }),
  );
  await expect.poll(() => messages(recorder)).toHaveLength(30);
  const found = await messages(recorder);
  for (const id of ids) {
    const types = found.filter(({ agentId }) => agentId === id).map(({ type }) => type);
    expect(types).toEqual(["agent.spawned", "agent.running", "agent.completed"]);
  }
});

it("continues after a restart with the events that were not published", async () => {
  const { home, life } = await replica();
  const channel = `${home.namespace}-old:events`;
  const recorder = await record(await admin(), channel);
  const before = await life.publishEvents(channel);
  await before.close();
  await life.registerSpawnedAgent("a1", "t1");
  await life.transitionToKilled("a1");
  expect(await recorder.published()).toEqual([]);
  await using _after = await life.publishEvents(channel);
  await expect.poll(() => messages(recorder)).toHaveLength(2);
  expect((await messages(recorder)).map(briefOf)).toEqual(["a1 agent.spawned", "a1 agent.killed"]);
});

it("publishes every event on each of several channels", async () => {
  const { home, life } = await replica();
  const channels = [`${home.namespace}-old:one`, `${home.namespace}-old:two`] as const;
  const recorders = await Promise.all(channels.map(async (channel) => record(await admin(), channel)));
  await using _one = await life.publishEvents(channels[0], { name: "publish-first" });
  await using _two = await life.publishEvents(channels[1]);
  await life.registerSpawnedAgent("a1", "t1");
  for (const recorder of recorders) await expect.poll(() => messages(recorder)).toHaveLength(1);
});

it("names its reaction after the channel, so that channels do not share the events", async () => {
  const { home, life } = await replica();
  const long = "application:of:a:team:with:long:names";
  for (const channel of ["Orchestrator:events", `${long}:1`, `${long}:2`]) {
    await using _publishing = await life.publishEvents(channel);
  }
  const names = (await (await home.machine(agent())).reactions()).map(({ name }) => name);
  expect(names).toContain("publish-orchestrator-events");
  expect(new Set(names).size).toBe(3);
  for (const name of names) expect(name.length).toBeLessThanOrEqual(32);
});

it("publishes the text of an error that another program stored as an object", async () => {
  const { home, life } = await replica();
  const channel = `${home.namespace}-old:events`;
  const recorder = await record(await admin(), channel);
  await using _publishing = await life.publishEvents(channel);
  const list = await home.machine(agent());
  await list.create("a1");
  await list.transition("a1", "failed", { set: { error: { exit: 137 } } });
  await expect.poll(() => messages(recorder)).toHaveLength(2);
  expect((await messages(recorder))[1]).toMatchObject({ taskId: "", error: '{"exit":137}' });
});

it("keeps an event that may not be published, as a dead letter", async () => {
  const { home } = await replica();
  const server = await admin();
  const user = `publisher-${home.namespace}`;
  await server.acl("SETUSER", user, "on", ">secret", "~*", `&${home.namespace}:*`, "+@all");
  onTestFinished(async () => void (await server.acl("DELUSER", user)));
  const options = { username: user, password: "secret", namespace: home.namespace };
  const denied = await client(options);
  const list = await denied.machine(agent());
  const life = new AgentLifecycle(list);
  const retries = { first: "1ms", longest: "2ms" } as const;
  await using _publishing = await life.publishEvents("elsewhere", { deadLetterAfter: 2, retries });
  await life.registerSpawnedAgent("a1", "t1");
  const letters = async () => (await all(list.deadLetters("publish-elsewhere"))).map(({ error }) => error);
  await expect.poll(letters).toEqual([expect.stringContaining("publishing on elsewhere was rejected")]);
});

it.each([
  ["an empty channel", "", {}, 'channel must be the name of a channel, not ""'],
  ["a channel that is no text", 7, {}, "channel must be the name of a channel, not 7"],
  ["the event types of react", "c", { on: ["agent.failed"] }, 'unknown option "on"'],
  ["the delay of react", "c", { delay: "1m" }, 'unknown option "delay"'],
  ["an invalid name", "c", { name: "Old Events" }, 'invalid reaction "Old Events"'],
])("rejects %s, and starts nothing", async (_, channel, options, text) => {
  const { home, life } = await replica();
  const error = await rejectionOf(ContractError, life.publishEvents(channel as string, options as object));
  expect(error.message).toContain(text);
  expect(await (await home.machine(agent())).reactions()).toEqual([]);
});

it("rejects latchkey's own channel, and entities that have no server", async () => {
  const { home, life } = await replica();
  const own = await rejectionOf(ContractError, life.publishEvents(`${home.namespace}:agent:events`));
  expect(own.message).toContain("latchkey itself publishes changes on the channel");
  const inMemory = new AgentLifecycle(fakeEntities(agent()));
  const none = await rejectionOf(ContractError, inMemory.publishEvents("orchestrator:events"));
  expect(none.message).toContain("fakeEntities has no server");
});
