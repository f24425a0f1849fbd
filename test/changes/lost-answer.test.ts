import { expect, it, vi } from "vitest";
import {
  ContractError,
  type Entities,
  NotExecutedError,
  OutcomeForgottenError,
  OutcomeUnknownError,
} from "../../src/index.js";
import type { AgentState } from "../../src/machine/agent.js";
import { behindProxy, serverMs } from "../helpers/behind-proxy.js";
import { admin } from "../helpers/calls.js";
import { agents, all, rejectionOf } from "../helpers/client.js";

type Call = (agents: Entities<AgentState>) => Promise<unknown>;

/** Each kind of change of an agent at version 1 (or of none). */
const calls: Record<string, { call: Call; version: number; event: string }> = {
  create: { call: (to) => to.create("a2", { n: 1 }), version: 1, event: "agent.spawned" },
  transition: { call: (to) => to.transition("a1", "running"), version: 2, event: "agent.running" },
  patch: { call: (to) => to.patch("a1", { set: { n: 1 } }), version: 2, event: "agent.updated" },
  remove: { call: (to) => to.remove("a1"), version: 2, event: "agent.removed" },
};

for (const [name, { call, version, event }] of Object.entries(calls)) {
  const id = name === "create" ? "a2" : "a1";

  it(`${name} whose answer is lost was executed once, and the caller gets the answer all the same`, async () => {
    const { far, near, proxy } = await behindProxy();
    await near.create("a1");
    const before = await types(near);
    proxy.dropReply("evalsha");
    expect(await call(far)).toMatchObject({ id, version });
    expect(await types(near)).toEqual([...before, event]);
  });

  it(`${name} that is lost on its way is sent again, and executed once`, async () => {
    const { far, near, proxy } = await behindProxy();
    await near.create("a1");
    const before = await types(near);
    proxy.dropRequest("evalsha");
    expect(await call(far)).toMatchObject({ id, version, type: event });
    expect(await types(near)).toEqual([...before, event]);
  });

  it(`${name} whose answer stays lost is told as unknown, and resolve() finds it done`, async () => {
    const { far, near, proxy } = await behindProxy();
    await near.create("a1");
    const before = await types(near);
    proxy.shut(true);
    proxy.dropReply("evalsha");
    const error = await rejectionOf(OutcomeUnknownError, call(brief(far)));
    expect(error).toMatchObject({ code: "UNKNOWN", machine: "agent", id });
    expect(error.message).toContain(`repeat it with op "${error.op}" and sent ${error.sent}`);
    proxy.shut(false);
    expect(await error.resolve({ timeout: "20s" })).toMatchObject({
      outcome: "DONE",
      version,
      document: { id, version },
    });
    expect(await types(near)).toEqual([...before, event]);
  });

  it(`${name} that stays lost on its way is told as unknown, and resolve() finds that it was not done`, async () => {
    const { far, near, proxy } = await behindProxy();
    await near.create("a1");
    const before = await types(near);
    proxy.shut(true);
    proxy.dropRequest("evalsha");
    const error = await rejectionOf(OutcomeUnknownError, call(brief(far)));
    proxy.shut(false);
    const current = name === "create" ? null : { id, version: 1 };
    expect(await error.resolve({ timeout: "20s" })).toMatchObject({ outcome: "NOTDONE", current });
    expect(await types(near)).toEqual(before);
  });
}

it("resolve() that can't be answered in time leaves the outcome unknown, and can be asked again", async () => {
  const { far, near, proxy } = await behindProxy();
  await near.create("a1");
  proxy.shut(true);
  proxy.dropReply("evalsha");
  const error = await rejectionOf(OutcomeUnknownError, brief(far).transition("a1", "running"));
  const again = await rejectionOf(OutcomeUnknownError, error.resolve({ timeout: "100ms" }));
  const { op, sent, notAfter } = error;
  expect(again).toMatchObject({ code: "UNKNOWN", machine: "agent", id: "a1", op, sent, notAfter });
  expect(again.message).toMatch(
    /^transition agent a1: what became of it can't be told yet: not connected to /,
  );
  proxy.shut(false);
  expect(await again.resolve({ timeout: "20s" })).toMatchObject({ outcome: "DONE", version: 2 });
  const misspelt = rejectionOf(ContractError, error.resolve({ timout: "1s" } as object));
  expect((await misspelt).message).toBe('unknown option "timout"; did you mean "timeout"?');
});

it("resolve() tells how long a lost attempt may still be executed, where its time is too short for that", async () => {
  const { near, namespace } = await behindProxy();
  const key = `{${namespace}:0}:agent:id:a1`;
  await (await admin()).set(key, "mine"); // so that it can't be asked
  const before = { op: "mine", sent: await serverMs(), timeout: "1h" } as const;
  const error = await rejectionOf(OutcomeUnknownError, near.transition("a1", "running", before));
  await (await admin()).del(key);
  expect((await rejectionOf(OutcomeUnknownError, error.resolve({ timeout: "20s" }))).message).toMatch(
    /can't be told yet: an attempt before may be on its way for another \d+ ms: allow more timeout; ask again/,
  );
});

it("a server that falls silent is left for a new connection, where the answer is found", async () => {
  const { far, near, proxy } = await behindProxy(200);
  await near.create("a1");
  proxy.holdReply("evalsha");
  expect(await far.transition("a1", "running")).toMatchObject({ version: 2 });
  expect(await near.history("a1")).toHaveLength(2);
});

it("a lost change of an agent that has changed far more often since than it remembers is found in the log", async () => {
  const { far, near, proxy } = await behindProxy();
  await near.create("a1");
  proxy.shut(true);
  proxy.dropReply("evalsha");
  const lost = far.patch("a1", { set: { mine: true } });
  await proxy.lost;
  for (let n = 0; n < 20; n++) await near.patch("a1", { set: { n } });
  proxy.shut(false);
  expect(await lost).toMatchObject({ version: 2, type: "agent.updated", mine: true });
  expect(await near.get("a1")).toMatchObject({ version: 22 });
});

it("a change lost on its way is made on an agent that has changed far more often since than it remembers", async () => {
  const { far, near, proxy } = await behindProxy();
  await near.create("a1");
  proxy.shut(true);
  proxy.dropRequest("evalsha");
  const lost = far.patch("a1", { set: { mine: true } });
  await proxy.lost;
  for (let n = 0; n < 20; n++) await near.patch("a1", { set: { n } });
  proxy.shut(false);
  expect(await lost).toMatchObject({ version: 22, mine: true });
});

it.each(["dropReply", "dropRequest"] as const)(
  "a retry that neither the agent nor the trimmed log can judge is refused, not made (%s)",
  async (loss) => {
    const { far, near, proxy, namespace } = await behindProxy();
    await near.create("a1");
    proxy.shut(true);
    proxy[loss]("evalsha");
    const lost = rejectionOf(OutcomeForgottenError, far.patch("a1", { set: { mine: true } }));
    await proxy.lost;
    for (let n = 0; n < 20; n++) await near.patch("a1", { set: { n } });
    await (await admin()).xtrim(`{${namespace}:0}:agent:events`, "MAXLEN", 2);
    proxy.shut(false);
    const version = loss === "dropReply" ? 22 : 21;
    expect(await lost).toMatchObject({ code: "FORGOTTEN", current: { version } });
    expect(await near.get("a1")).toMatchObject({ version });
  },
);

it("the refusal of a retry is the answer: the lost attempt can't be executed after it", async () => {
  const { far, near, proxy } = await behindProxy();
  await near.create("a1");
  proxy.shut(true);
  proxy.dropRequest("evalsha");
  const lost = far.tryTransition("a1", "running");
  await proxy.lost;
  await near.transition("a1", "killed");
  proxy.shut(false);
  expect(await lost).toMatchObject({ ok: false, outcome: "ILLEGAL", current: { state: "killed" } });
  expect(await near.get("a1")).toMatchObject({ version: 2 });
});

it("another process finishes what one left behind, with its op and the time it was sent", async () => {
  const { far, near, proxy } = await behindProxy();
  await near.create("a1");
  for (const [loss, type] of [
    ["dropReply", undefined],
    ["dropRequest", "agent.updated"],
  ] as const) {
    const { version = 0 } = (await far.get("a1")) ?? {}; // connected again
    proxy.shut(true);
    proxy[loss]("evalsha");
    const { op, sent } = await rejectionOf(
      OutcomeUnknownError,
      far.patch("a1", { set: { loss }, timeout: "2s" }),
    );
    proxy.shut(false);
    const answer = await near.patch("a1", { set: { loss }, op, sent, timeout: "2s" });
    expect([answer.type, answer.version]).toEqual([type, version + 1]);
  }
});

it("a repeat with less time than the attempt before it may still take is told so at once, and is not made", async () => {
  const { near } = await behindProxy();
  await near.create("a1");
  const before = { op: "o1", sent: (await serverMs()) + 5_000, timeout: "1s" } as const;
  const error = await rejectionOf(OutcomeUnknownError, near.patch("a1", { set: { n: 1 }, ...before }));
  expect(error.message).toMatch(/an attempt before may be on its way for another \d+ ms: allow more timeout/);
  expect(await near.get("a1")).toMatchObject({ version: 1 });
});

it("twenty calls on a connection that breaks are all answered, and each took effect once", async () => {
  const { far, near, proxy } = await behindProxy();
  await near.create("a1");
  proxy.dropReply("evalsha");
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => far.patch("a1", { set: { n } })));
  expect(answers).toHaveLength(20);
  expect(await near.get("a1")).toMatchObject({ version: 21 });
});

it("calls while the connection is down wait for it, and are not executed where it does not come back", async () => {
  const { far, near, proxy } = await behindProxy();
  await near.create("a1");
  proxy.shut(true);
  proxy.cut();
  const error = await rejectionOf(NotExecutedError, far.transition("a1", "running", { timeout: "100ms" }));
  expect(error.message).toMatch(/^transition agent a1 was not executed: (not connected|the connection)/);
  const waiting = far.transition("a1", "running");
  proxy.shut(false);
  expect(await waiting).toMatchObject({ version: 2 });
  expect(await near.history("a1")).toHaveLength(2);
});

it("a read whose answer is lost is asked again", async () => {
  const { far, near, proxy } = await behindProxy();
  await near.create("a1");
  proxy.dropReply("hgetall");
  expect(await far.get("a1")).toMatchObject({ version: 1 });
});

it("a process whose wall clock is hours off loses nothing by it", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 5 * 3_600_000 });
  try {
    const { far, near, proxy } = await behindProxy();
    await near.create("a1");
    proxy.dropRequest("evalsha");
    expect(await far.transition("a1", "running")).toMatchObject({ version: 2 });
    vi.setSystemTime(Date.now() - 10 * 3_600_000);
    proxy.dropReply("evalsha");
    expect(await far.transition("a1", "killed")).toMatchObject({ version: 3 });
    expect(await near.history("a1")).toHaveLength(3);
  } finally {
    vi.useRealTimers();
  }
});

it("an op that an unrelated agent uses is another one", async () => {
  const ours = await agents();
  await ours.create("a1", {}, { op: "same" });
  expect((await ours.tryCreate("a2", {}, { op: "same" })).outcome).toBe("OK");
});

/** The same entities, with little time for each change. */
function brief(entities: Entities<AgentState>): Entities<AgentState> {
  const timeout = "300ms";
  return new Proxy(entities, {
    get(target, name) {
      switch (name) {
        case "create":
          return (id: string, fields: Record<string, number>) => target.create(id, fields, { timeout });
        case "transition":
          return (id: string, to: AgentState) => target.transition(id, to, { timeout });
        case "patch":
          return (id: string, options: object) => target.patch(id, { ...options, timeout });
        default:
          return (id: string) => target.remove(id, { timeout });
      }
    },
  });
}

async function types(entities: Entities<AgentState>): Promise<string[]> {
  return (await all(entities.events({ after: "start", follow: false }))).map(({ type }) => type);
}
