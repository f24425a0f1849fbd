import { expect, it } from "vitest";
import { agent, type Entities, NotExecutedError, OutcomeUnknownError } from "../src/index.js";
import { scripts } from "../src/lua/index.js";
import type { AgentState } from "../src/machine/agent.js";
import { admin } from "./helpers/calls.js";
import { agents, all, client, rejectionOf } from "./helpers/client.js";
import { startProxy, type TcpProxy } from "./helpers/proxy.js";
import { useValkey } from "./helpers/valkey.js";

interface Behind {
  /** Through the proxy. */
  readonly far: Entities<AgentState>;
  /** Straight to the server, in the same namespace. */
  readonly near: Entities<AgentState>;
  readonly proxy: TcpProxy;
}

async function behindProxy(silenceTimeoutMs = 5_000): Promise<Behind> {
  const proxy = await startProxy(await useValkey());
  // So that the reply that is lost is the script's own, and not NOSCRIPT.
  for (const { text } of Object.values(scripts)) await (await admin()).script("LOAD", text);
  const straight = await client();
  const near = await straight.machine(agent());
  const namespace = straight.namespace;
  const latchkey = await client({ url: proxy.url, namespace, silenceTimeoutMs });
  return { far: await latchkey.machine(agent()), near, proxy };
}

type Call = (agents: Entities<AgentState>, op?: string) => Promise<unknown>;

/** Each kind of change of an agent at version 1 (or of none), with a fixed op where one is given. */
const calls: Record<string, { call: Call; version: number; event: string }> = {
  create: { call: (to, op) => to.create("a2", { n: 1 }, opOf(op)), version: 1, event: "agent.spawned" },
  transition: {
    call: (to, op) => to.transition("a1", "running", opOf(op)),
    version: 2,
    event: "agent.running",
  },
  patch: {
    call: (to, op) => to.patch("a1", { set: { n: 1 }, ...opOf(op) }),
    version: 2,
    event: "agent.updated",
  },
};

function opOf(op: string | undefined): { op?: string } {
  return op === undefined ? {} : { op };
}

for (const [name, { call, version, event }] of Object.entries(calls)) {
  const id = name === "create" ? "a2" : "a1";

  it(`${name} whose answer is lost was executed once, and says so when it is repeated with its op`, async () => {
    const { far, near, proxy } = await behindProxy();
    await far.create("a1");
    proxy.dropReply("evalsha");
    const error = await rejectionOf(OutcomeUnknownError, call(far));
    expect(error).toMatchObject({ code: "UNKNOWN", machine: "agent", id });
    expect(error.message).toContain(`repeat it with op "${error.op}" and with sent`);
    expect((await near.get(id))?.version).toBe(version);

    await reconnected(far);
    expect(await call(far, error.op)).toMatchObject({ id, version, opVersion: version });
    expect((await near.get(id))?.version).toBe(version);
    expect((await types(near)).filter((type) => type === event)).toHaveLength(name === "create" ? 2 : 1);
  });

  it(`${name} that is lost on its way was not executed, and is when it is repeated with its op`, async () => {
    const { far, near, proxy } = await behindProxy();
    await far.create("a1");
    const before = await types(near);
    proxy.dropRequest("evalsha");
    const { op } = await rejectionOf(OutcomeUnknownError, call(far));
    expect(await types(near)).toEqual(before);

    await reconnected(far);
    expect(await call(far, op)).toMatchObject({ id, version, op, type: event });
    expect(await types(near)).toEqual([...before, event]);
  });
}

it("a server that falls silent is given up, and what became of the call stays open until it is asked", async () => {
  const { far, near, proxy } = await behindProxy(200);
  await far.create("a1");
  proxy.holdReply("evalsha");
  const { op } = await rejectionOf(OutcomeUnknownError, far.transition("a1", "running"));
  await reconnected(far);
  expect(await far.transition("a1", "running", { op })).toMatchObject({ version: 2, opVersion: 2 });
  expect(await near.history("a1")).toHaveLength(2);
});

it("remove whose answer is lost leaves nothing to remove when it is repeated", async () => {
  const { far, near, proxy } = await behindProxy();
  await far.create("a1");
  proxy.dropReply("evalsha");
  const { op } = await rejectionOf(OutcomeUnknownError, far.remove("a1"));
  expect(await near.get("a1")).toBeNull();
  await reconnected(far);
  expect((await far.tryRemove("a1", { op })).outcome).toBe("NOTFOUND");
  expect(await types(near)).toEqual(["agent.spawned", "agent.removed"]);
});

it("nothing is sent again behind the caller's back when the connection comes back", async () => {
  const { far, near, proxy } = await behindProxy();
  await far.create("a1");
  proxy.dropRequest("evalsha");
  const lost = Array.from({ length: 20 }, (_, n) => rejectionOf(Error, far.patch("a1", { set: { n } })));
  for (const error of await Promise.all(lost)) {
    expect(error instanceof OutcomeUnknownError || error instanceof NotExecutedError).toBe(true);
  }
  await reconnected(far);
  await far.get("a1");
  expect(await near.get("a1")).toMatchObject({ version: 1 });
});

it("calls while the connection is down are not executed, and those after it came back are", async () => {
  const { far, near, proxy } = await behindProxy();
  await far.create("a1");
  proxy.dropRequest("evalsha");
  await rejectionOf(OutcomeUnknownError, far.transition("a1", "running"));
  const error = await rejectionOf(NotExecutedError, far.transition("a1", "running"));
  expect(error.message).toBe(`transition agent a1 was not executed: not connected to ${proxy.url}`);
  expect(error.reply).toBe("");
  await reconnected(far);
  expect(await far.transition("a1", "running")).toMatchObject({ version: 2 });
  expect(await near.history("a1")).toHaveLength(2);
});

it("a read whose answer is lost may simply be asked again", async () => {
  const { far, proxy } = await behindProxy();
  await far.create("a1");
  proxy.dropReply("hgetall");
  const error = await rejectionOf(NotExecutedError, far.get("a1"));
  expect(error.message).toContain("get agent a1 was not answered");
  await reconnected(far);
  expect(await far.get("a1")).toMatchObject({ version: 1 });
});

it("retries of one op by several replicas at once take effect once", async () => {
  const { far, near, proxy } = await behindProxy();
  await far.create("a1");
  proxy.dropReply("evalsha");
  const { op } = await rejectionOf(OutcomeUnknownError, far.patch("a1", { set: { n: 1 } }));
  const others = await Promise.all(Array.from({ length: 5 }, () => near.patch("a1", { set: { n: 1 }, op })));
  for (const answer of others) expect(answer).toMatchObject({ version: 2, opVersion: 2 });
  expect(await near.history("a1")).toHaveLength(2);
});

it("an op that an unrelated agent uses is another one", async () => {
  const ours = await agents();
  await ours.create("a1", {}, { op: "same" });
  expect((await ours.tryCreate("a2", {}, { op: "same" })).outcome).toBe("OK");
});

/** Waits until the client answers again. */
async function reconnected(entities: Entities<AgentState>): Promise<void> {
  await expect
    .poll(() => entities.get("probe").catch(() => "down"), { interval: 5, timeout: 10_000 })
    .toBeNull();
}

async function types(entities: Entities<AgentState>): Promise<string[]> {
  return (await all(entities.events({ after: "start", follow: false }))).map(({ type }) => type);
}
