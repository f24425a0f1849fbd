import { expect, it, vi } from "vitest";
import {
  ContractError,
  DeadlineExceededError,
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

/** Each kind of change, of an agent at version 1 or of a new one. */
const calls: Record<string, { call: Call; version: number; event: string }> = {
  create: { call: (to) => to.create("a2", { n: 1 }), version: 1, event: "agent.spawned" },
  transition: { call: (to) => to.transition("a1", "running"), version: 2, event: "agent.running" },
  patch: { call: (to) => to.patch("a1", { set: { n: 1 } }), version: 2, event: "agent.updated" },
  remove: { call: (to) => to.remove("a1"), version: 2, event: "agent.removed" },
};

for (const [name, { call, version, event }] of Object.entries(calls)) {
  const id = name === "create" ? "a2" : "a1";

  it(`${name} whose reply is lost is applied once, and the caller gets its result`, async () => {
    const { far, near, proxy } = await behindProxy();
    await near.create("a1");
    const before = await types(near);
    proxy.dropReply("evalsha");
    expect(await call(far)).toMatchObject({ id, version });
    expect(await types(near)).toEqual([...before, event]);
  });

  it(`${name} whose request is lost is sent again and applied once`, async () => {
    const { far, near, proxy } = await behindProxy();
    await near.create("a1");
    const before = await types(near);
    proxy.dropRequest("evalsha");
    expect(await call(far)).toMatchObject({ id, version, type: event });
    expect(await types(near)).toEqual([...before, event]);
  });

  it(`${name} whose reply stays lost has an unknown outcome, and resolve() returns DONE`, async () => {
    const { far, near, proxy } = await behindProxy();
    await near.create("a1");
    const before = await types(near);
    proxy.shut(true);
    proxy.dropReply("evalsha");
    const error = await rejectionOf(OutcomeUnknownError, call(brief(far)));
    expect(error).toMatchObject({ code: "UNKNOWN", machine: "agent", id });
    expect(error.message).toContain(`repeat it with { op: "${error.op}", seen: "${error.seen}" }`);
    proxy.shut(false);
    expect(await error.resolve({ timeout: "20s" })).toMatchObject({
      outcome: "DONE",
      version,
      document: { id, version },
    });
    expect(await types(near)).toEqual([...before, event]);
  });

  it(`${name} whose request stays lost has an unknown outcome, and resolve() returns NOTDONE`, async () => {
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

it("resolve() without a reply in time leaves the outcome unknown and can be called again", async () => {
  const { far, near, proxy } = await behindProxy();
  await near.create("a1");
  proxy.shut(true);
  proxy.dropReply("evalsha");
  const error = await rejectionOf(OutcomeUnknownError, brief(far).transition("a1", "running"));
  const again = await rejectionOf(OutcomeUnknownError, error.resolve({ timeout: "100ms" }));
  const { op, seen, notAfter } = error;
  expect(again).toMatchObject({ code: "UNKNOWN", machine: "agent", id: "a1", op, seen, notAfter });
  expect(again.message).toMatch(/^transition agent a1: its outcome is still unknown: not connected to /);
  proxy.shut(false);
  expect(await again.resolve({ timeout: "20s" })).toMatchObject({ outcome: "DONE", version: 2 });
  const misspelt = rejectionOf(ContractError, error.resolve({ timout: "1s" } as object));
  expect((await misspelt).message).toBe('unknown option "timout"; did you mean "timeout"?');
});

it("resolve() reports how long a lost attempt may still be executed, if its time limit is too short for that", async () => {
  const { near, namespace } = await behindProxy();
  const key = `{${namespace}:0}:agent:id:a1`;
  await (await admin()).set(key, "mine"); // so that it cannot be read
  const before = { op: "mine", seen: "0-0", notAfter: (await serverMs()) + 3_600_000 } as const;
  const error = await rejectionOf(OutcomeUnknownError, near.transition("a1", "running", before));
  await (await admin()).del(key);
  expect((await rejectionOf(OutcomeUnknownError, error.resolve({ timeout: "20s" }))).message).toMatch(
    /still unknown: an earlier attempt may be executed for another \d+ ms: allow more timeout; resolve it again/,
  );
});

it("a connection to a silent server is replaced by a new one, and the outcome is found there", async () => {
  const { far, near, proxy } = await behindProxy(200);
  await near.create("a1");
  proxy.holdReply("evalsha");
  expect(await far.transition("a1", "running")).toMatchObject({ version: 2 });
  expect(await near.history("a1")).toHaveLength(2);
});

it("a lost change is found in the event log if the agent has forgotten its idempotency key", async () => {
  const { far, near, proxy } = await behindProxy();
  await near.create("a1");
  proxy.shut(true);
  proxy.dropReply("evalsha");
  const lost = far.patch("a1", { set: { mine: true } });
  await proxy.lost;
  for (let n = 0; n < 41; n++) await near.patch("a1", { set: { n } });
  proxy.shut(false);
  expect(await lost).toMatchObject({ version: 2, type: "agent.updated", mine: true });
  expect(await near.get("a1")).toMatchObject({ version: 43 });
});

it("a change whose request was lost is applied even if the agent has forgotten older idempotency keys", async () => {
  const { far, near, proxy } = await behindProxy();
  await near.create("a1");
  proxy.shut(true);
  proxy.dropRequest("evalsha");
  const lost = far.patch("a1", { set: { mine: true } });
  await proxy.lost;
  for (let n = 0; n < 41; n++) await near.patch("a1", { set: { n } });
  proxy.shut(false);
  expect(await lost).toMatchObject({ version: 43, mine: true });
});

it.each(["dropReply", "dropRequest"] as const)(
  "a retry is rejected, not applied, if neither the agent nor the trimmed log knows its outcome (%s)",
  async (loss) => {
    const { far, near, proxy, namespace } = await behindProxy();
    await near.create("a1");
    proxy.shut(true);
    proxy[loss]("evalsha");
    const lost = rejectionOf(OutcomeForgottenError, far.patch("a1", { set: { mine: true } }));
    await proxy.lost;
    for (let n = 0; n < 41; n++) await near.patch("a1", { set: { n } });
    await (await admin()).xtrim(`{${namespace}:0}:agent:events`, "MAXLEN", 2);
    proxy.shut(false);
    const version = loss === "dropReply" ? 43 : 42;
    expect(await lost).toMatchObject({ code: "FORGOTTEN", current: { version } });
    expect(await near.get("a1")).toMatchObject({ version });
  },
);

it("the rejection of a retry is the result: the lost attempt cannot be executed after it", async () => {
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

it("another process finishes an interrupted change with its `op` and `seen`", async () => {
  const { far, near, proxy } = await behindProxy();
  await near.create("a1");
  for (const [loss, type] of [
    ["dropReply", undefined],
    ["dropRequest", "agent.updated"],
  ] as const) {
    const { version = 0 } = (await far.get("a1")) ?? {}; // connected again
    proxy.shut(true);
    proxy[loss]("evalsha");
    const { op, seen } = await rejectionOf(
      OutcomeUnknownError,
      far.patch("a1", { set: { loss }, timeout: "2s" }),
    );
    proxy.shut(false);
    const answer = await near.patch("a1", { set: { loss }, op, seen, timeout: "2s" });
    expect([answer.type, answer.version]).toEqual([type, version + 1]);
  }
});

it("a rejected repeat is final only after the notAfter of the earlier attempt, if its time limit allows", async () => {
  const { near } = await behindProxy();
  await near.create("a1");
  const repeat = { op: "o1", seen: "0-0", notAfter: (await serverMs()) + 1_500 } as const;
  const change = { set: { n: 1 }, ifVersion: 7, ...repeat };
  const error = await rejectionOf(OutcomeUnknownError, near.patch("a1", { ...change, timeout: "500ms" }));
  expect(error.message).toMatch(/an earlier attempt may be executed for another \d+ ms: allow more timeout/);
  await rejectionOf(DeadlineExceededError, near.patch("a1", { ...change, timeout: "30s" }));
  expect(await serverMs()).toBeGreaterThan(repeat.notAfter);
  expect(await near.get("a1")).toMatchObject({ version: 1 });
});

it("twenty calls on a connection that is lost all return, and each takes effect once", async () => {
  const { far, near, proxy } = await behindProxy();
  await near.create("a1");
  proxy.dropReply("evalsha");
  const answers = await Promise.all(Array.from({ length: 20 }, (_, n) => far.patch("a1", { set: { n } })));
  expect(answers).toHaveLength(20);
  expect(await near.get("a1")).toMatchObject({ version: 21 });
});

it("calls wait while the connection is down, and are not executed if it does not return", async () => {
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

it("a read whose reply is lost is sent again", async () => {
  const { far, near, proxy } = await behindProxy();
  await near.create("a1");
  proxy.dropReply("evalsha_ro");
  expect(await far.get("a1")).toMatchObject({ version: 1 });
});

it("a process whose wall clock is hours off loses no change", async () => {
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

it("an idempotency key that another agent uses is independent", async () => {
  const ours = await agents();
  await ours.create("a1", {}, { op: "same" });
  expect((await ours.tryCreate("a2", {}, { op: "same" })).outcome).toBe("OK");
});

/** Returns entities whose changes have a short time limit. */
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
