import { expect, it } from "vitest";
import {
  ConflictError,
  ContractError,
  DeadlineExceededError,
  defineMachine,
  LatchkeyError,
  NoLeaseError,
  NotExecutedError,
  NotFoundError,
} from "../../src/index.js";
import { pastServerTime, serverMs } from "../helpers/behind-proxy.js";
import { admin } from "../helpers/calls.js";
import { client, rejection, rejectionOf } from "../helpers/client.js";
import { ownServer } from "../helpers/doctor.js";
import { renewedAt } from "../helpers/held.js";
import { keyspace } from "../helpers/keyspace.js";
import { startProxy } from "../helpers/proxy.js";
import { useValkey } from "../helpers/valkey.js";

const task = defineMachine({
  name: "task",
  version: 1,
  initial: "waiting",
  states: {
    waiting: { to: ["working"] },
    working: { to: ["waiting"], lease: { for: "30s", to: "waiting" } },
  },
});

async function working() {
  const home = await client();
  const tasks = await home.machine(task);
  await tasks.create("t1", { n: 1 });
  const change = await tasks.transition("t1", "working");
  const leaseAt = () => renewedAt(home, "t1");
  return { home, tasks, change, leaseAt };
}

it("renews the lease and returns the current entity", async () => {
  const { tasks, leaseAt } = await working();
  expect(await leaseAt()).toBe(0);
  const now = await tasks.heartbeat("t1", { ifVersion: 2, ifState: "working" });
  const { dueAt, ...current } = (await tasks.get("t1")) ?? {};
  expect(now).toEqual(current);
  expect(dueAt).toMatch(/Z$/);
  expect(await leaseAt()).toBeGreaterThan(0);
  expect(await tasks.history("t1")).toHaveLength(2);
});

it("is rejected with the current entity if someone else changed it", async () => {
  const { tasks } = await working();
  await tasks.transition("t1", "waiting");
  await tasks.transition("t1", "working");
  const error = await rejectionOf(ConflictError, tasks.heartbeat("t1", { ifVersion: 2 }));
  expect(error).toMatchObject({ code: "CONFLICT", id: "t1", current: { state: "working", version: 4 } });
  expect(error.message).toMatch(
    /^task t1 does not match: expected version 2; found state working, version 4$/,
  );
  const result = await tasks.tryHeartbeat("t1", { ifState: "waiting" });
  expect(result).toMatchObject({ ok: false, outcome: "CONFLICT", current: { version: 4 } });
});

it("is rejected if the state has no lease, or the entity does not exist", async () => {
  const { tasks } = await working();
  await tasks.transition("t1", "waiting");
  const error = await rejectionOf(NoLeaseError, tasks.heartbeat("t1"));
  expect(error).toMatchObject({ code: "ILLEGAL", current: { state: "waiting" } });
  expect(error.message).toMatch(/^task t1 has no lease to renew: state waiting has none \(version 3\)$/);
  await rejectionOf(NotFoundError, tasks.heartbeat("t2"));
  await rejectionOf(DeadlineExceededError, tasks.heartbeat("t1", { notAfter: 1 }));
});

it("rejects invalid options before anything is sent", async () => {
  const { tasks } = await working();
  for (const options of [
    { ifVersion: -1 },
    { ifVersion: 1.5 },
    { ifState: "Working" },
    { notAfter: Number.NaN },
  ]) {
    await rejectionOf(ContractError, tasks.heartbeat("t1", options as object));
  }
  const error = await rejectionOf(ContractError, tasks.heartbeat("t1", { ifVerson: 1 } as object));
  expect(error.message).toBe('unknown option "ifVerson"; did you mean "ifVersion"?');
  await rejectionOf(ContractError, tasks.heartbeat("t 1"));
  for (const name of ["ifVersion", "ifState"]) {
    const unguarded = await rejectionOf(ContractError, tasks.heartbeat("t1", { [name]: undefined }));
    expect(unguarded.message).toBe(`${name} is undefined; give a value or omit it`);
  }
});

/** Starts a proxy that can drop replies. */
async function behindProxy() {
  const { home, change, leaseAt } = await working();
  const proxy = await startProxy(await useValkey());
  const far = await client({ url: proxy.url, namespace: home.namespace });
  const tasks = await far.machine(task);
  await tasks.heartbeat("t1"); // loads the script
  return { proxy, tasks, change, leaseAt, home };
}

it("is sent again if the reply was lost", async () => {
  const { proxy, tasks, leaseAt } = await behindProxy();
  const before = await leaseAt();
  proxy.dropReply("IFVERSION");
  expect(await tasks.heartbeat("t1", { ifVersion: 2 })).toMatchObject({ version: 2 });
  expect(Number(await leaseAt())).toBeGreaterThanOrEqual(Number(before));
});

it("has an unknown outcome if replies are lost until the time limit", async () => {
  const { proxy, tasks, leaseAt } = await behindProxy();
  const before = Number(await leaseAt());
  await pastServerTime(before);
  proxy.shut(true);
  proxy.dropReply("IFVERSION");
  const error = await rejectionOf(LatchkeyError, tasks.heartbeat("t1", { ifVersion: 2, timeout: "1s" }));
  expect(error).not.toBeInstanceOf(NotExecutedError);
  expect(error.code).toBe("UNKNOWN");
  expect(error.message).toMatch(
    /^heartbeat task t1: the reply was lost, and the lease may be renewed: .*; send it again$/,
  );
  expect(Number(await leaseAt())).toBeGreaterThan(before);
});

it("is reported as not executed if it could not be sent, or the server rejected it", async () => {
  const { proxy, tasks, home } = await behindProxy();
  proxy.shut(true);
  proxy.cut();
  const beat = () => rejection(tasks.heartbeat("t1", { timeout: "100ms" }));
  await expect.poll(beat).toBeInstanceOf(NotExecutedError); // the client has noticed
  expect((await beat()).message).toMatch(/^heartbeat task t1 was not executed: /);
  proxy.shut(false);
  await (await admin()).set(`{${home.namespace}:0}:task:due`, "mine");
  expect(await rejectionOf(NotExecutedError, tasks.heartbeat("t1"))).toMatchObject({ reply: "WRONGTYPE" });
});

it("renews nothing after its caller got an unknown outcome", async () => {
  const { server, admin } = await ownServer();
  const latchkey = await client({ url: server.url, namespace: "t" });
  const tasks = await latchkey.machine(task);
  await tasks.create("t1");
  await tasks.transition("t1", "working");
  await tasks.heartbeat("t1"); // loads the script
  const before = await keyspace(admin, "t");
  await admin.call("CLIENT", "PAUSE", 60_000, "WRITE");
  const error = await rejectionOf(LatchkeyError, tasks.heartbeat("t1", { timeout: "1s" }));
  expect(error.code).toBe("UNKNOWN");
  await admin.call("CLIENT", "UNPAUSE"); // the paused writes are executed now
  await tasks.get("t1"); // after them, on the same connection
  expect(await keyspace(admin, "t")).toEqual(before);
});

it("has an unknown outcome if notAfter passes before the retry, because the lost attempt may have been executed", async () => {
  const { proxy, tasks } = await behindProxy();
  const notAfter = (await serverMs()) + 3_000;
  proxy.shut(true);
  proxy.dropReply("IFVERSION");
  const lost = rejectionOf(LatchkeyError, tasks.heartbeat("t1", { ifVersion: 2, notAfter, timeout: "30s" }));
  await proxy.lost;
  await pastServerTime(notAfter);
  proxy.shut(false);
  expect(await lost).toMatchObject({ code: "UNKNOWN" });
});
