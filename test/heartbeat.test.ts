import { expect, it, onTestFinished } from "vitest";
import {
  ConflictError,
  ContractError,
  connect,
  DeadlineExceededError,
  defineMachine,
  NoLeaseError,
  NotExecutedError,
  NotFoundError,
} from "../src/index.js";
import { admin } from "./helpers/calls.js";
import { client, rejectionOf } from "./helpers/client.js";
import { startProxy } from "./helpers/proxy.js";
import { useValkey } from "./helpers/valkey.js";

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
  const leaseAt = async () => (await admin()).hget(`{${home.namespace}:0}:task:id:t1`, "lease:at");
  return { home, tasks, change, leaseAt };
}

it("renews the lease and returns the entity as it is", async () => {
  const { tasks, leaseAt } = await working();
  expect(await leaseAt()).toBe("");
  const now = await tasks.heartbeat("t1", { ifVersion: 2, ifState: "working" });
  expect(now).toEqual(await tasks.get("t1"));
  expect(await leaseAt()).toMatch(/^\d{13}$/);
  expect(await tasks.history("t1")).toHaveLength(2);
});

it("tells whoever lost the entity, with the entity as it is now", async () => {
  const { tasks } = await working();
  await tasks.transition("t1", "waiting");
  await tasks.transition("t1", "working");
  const error = await rejectionOf(ConflictError, tasks.heartbeat("t1", { ifVersion: 2 }));
  expect(error).toMatchObject({ code: "CONFLICT", id: "t1", current: { state: "working", version: 4 } });
  expect(error.message).toMatch(/^task t1 is not at version 2: it is working since .*, version 4$/);
  const result = await tasks.tryHeartbeat("t1", { ifState: "waiting" });
  expect(result).toMatchObject({ ok: false, outcome: "CONFLICT", current: { version: 4 } });
});

it("refuses where the state has no lease, and where there is no such entity", async () => {
  const { tasks } = await working();
  await tasks.transition("t1", "waiting");
  const error = await rejectionOf(NoLeaseError, tasks.heartbeat("t1"));
  expect(error).toMatchObject({ code: "ILLEGAL", current: { state: "waiting" } });
  expect(error.message).toMatch(/^task t1 has no lease to renew: it is waiting since .*, version 3$/);
  await rejectionOf(NotFoundError, tasks.heartbeat("t2"));
  await rejectionOf(DeadlineExceededError, tasks.heartbeat("t1", { notAfter: 1 }));
});

it("refuses what the server would take for malformed, before it is sent", async () => {
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
  expect(error.message).toBe('"ifVerson" is no option; did you mean "ifVersion"?');
  await rejectionOf(ContractError, tasks.heartbeat("t 1"));
  for (const name of ["ifVersion", "ifState"]) {
    const unguarded = await rejectionOf(ContractError, tasks.heartbeat("t1", { [name]: undefined }));
    expect(unguarded.message).toBe(`${name} is undefined; give it, or leave it out`);
  }
});

it("asks again where the answer was lost, and says so where there is none in time", async () => {
  const { home, leaseAt } = await working();
  const proxy = await startProxy(await useValkey());
  const near = await connect({ url: proxy.url, namespace: home.namespace });
  onTestFinished(() => near.close());
  const tasks = await near.machine(task);
  await tasks.heartbeat("t1"); // loads the script
  const before = await leaseAt();
  proxy.dropReply("IFVERSION");
  expect(await tasks.heartbeat("t1", { ifVersion: 2 })).toMatchObject({ version: 2 });
  expect(Number(await leaseAt())).toBeGreaterThanOrEqual(Number(before));
  proxy.holdReply("IFVERSION");
  const error = await rejectionOf(NotExecutedError, tasks.heartbeat("t1", { ifVersion: 2, timeout: 100 }));
  expect(error.message).toMatch(/^heartbeat task t1 was not answered: .* did not answer in time$/);
});

it("says that the machine is gone where it is", async () => {
  const { home, tasks } = await working();
  await (await admin()).del(`{${home.namespace}:0}:task:machine`);
  expect(await rejectionOf(ContractError, tasks.heartbeat("t1"))).toMatchObject({ code: "NOMACHINE" });
});
