import { describe, expect, it, onTestFinished } from "vitest";
import {
  type Change,
  ConflictError,
  ContractError,
  connect,
  defineMachine,
  type Entities,
  LatchkeyError,
  type LeaseLostError,
  NoLeaseError,
  NotFoundError,
  type Replay,
} from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { client, rejection, rejectionOf } from "../helpers/client.js";
import { held, LEASE_MS, SOON, taskOf, working } from "../helpers/held.js";
import { startProxy } from "../helpers/proxy.js";
import { useValkey } from "../helpers/valkey.js";

it("renews the lease repeatedly, so that it lasts longer than its length", async () => {
  const { tasks, leaseAt } = await working("t1");
  const { hold, losses } = await held(tasks, "t1", 2);
  const first = await leaseAt("t1");
  await expect.poll(() => leaseAt("t1"), SOON).toBeGreaterThan(first + 2 * LEASE_MS);
  expect(await tasks.sweep({ once: true })).toMatchObject({ expired: 0 });
  expect([hold.id, hold.version, hold.signal.aborted, losses]).toEqual(["t1", 2, false, []]);
});

it("reports the loss when someone else has changed the entity", async () => {
  const { tasks } = await working("t1");
  const { hold, lost } = await held(tasks, "t1", 2);
  await tasks.patch("t1", { set: { taken: true } });
  const error = await lost;
  expect(error).toMatchObject({
    code: "LEASELOST",
    machine: "task",
    id: "t1",
    current: { version: 3, taken: true },
  });
  expect(error.message).toMatch(
    /^the lease of task t1 is lost: task t1 does not match: expected version 2; found state working, /,
  );
  expect(error.cause).toBeInstanceOf(ConflictError);
  expect(hold.signal.reason).toBe(error);
});

it("without a version, is lost if the entity leaves or enters the state again, and not by a patch", async () => {
  const { tasks, leaseAt } = await working("t1", "t2");
  const first = await held(tasks, "t1");
  const second = await held(tasks, "t2");
  await tasks.patch("t1", { set: { n: 1 } });
  const before = await leaseAt("t1");
  await expect.poll(() => leaseAt("t1"), SOON).toBeGreaterThan(before + LEASE_MS);
  expect([first.hold.version, first.losses]).toEqual([3, []]);
  await tasks.transition("t1", "waiting");
  expect((await first.lost).cause).toBeInstanceOf(ConflictError);
  await tasks.transition("t2", "working");
  expect((await second.lost).message).toMatch(/is lost: the state was entered again at /);
});

it("is lost if the entity is removed", async () => {
  const { tasks } = await working("t1");
  const { lost } = await held(tasks, "t1", 2);
  await tasks.remove("t1");
  expect(await lost).toMatchObject({ current: null });
  expect((await lost).cause).toBeInstanceOf(NotFoundError);
});

it("is lost at the end of the lease if the server does not reply", async () => {
  const { home } = await working("t1");
  const proxy = await startProxy(await useValkey());
  const far = await connect({ url: proxy.url, namespace: home.namespace });
  onTestFinished(() => far.close());
  const { hold, lost } = await held(await far.machine(taskOf(LEASE_MS)), "t1", 2);
  proxy.holdReply("IFVERSION");
  const error = await lost;
  expect(error.message).toBe("the lease of task t1 is lost: no renewal was confirmed before its end");
  expect([error.current, hold.signal.aborted]).toEqual([null, true]);
});

it("retries while the server is unreachable, and is lost only at the end of the lease", async () => {
  const { home, tasks, leaseAt } = await working("t1");
  const proxy = await startProxy(await useValkey());
  const far = await connect({ url: proxy.url, namespace: home.namespace });
  onTestFinished(() => far.close());
  const { lost, losses } = await held(await far.machine(taskOf(LEASE_MS)), "t1", 2);
  proxy.dropRequest("IFVERSION");
  await proxy.lost;
  const before = await leaseAt("t1");
  await expect.poll(() => leaseAt("t1"), SOON).toBeGreaterThan(before);
  expect(losses).toEqual([]);
  proxy.shut(true);
  proxy.cut();
  expect((await lost).cause).toBeInstanceOf(LatchkeyError);
  expect(await tasks.get("t1")).toMatchObject({ state: "working" });
});

it("makes own changes between renewals, and holds the version that they make", async () => {
  const { tasks, leaseAt } = await working("t1");
  const { hold, losses } = await held(tasks, "t1", 2);
  for (let n = 0; n < 20; n++) {
    await hold.change((ifVersion) => tasks.patch("t1", { set: { n }, ifVersion }));
  }
  const before = await leaseAt("t1");
  await expect.poll(() => leaseAt("t1"), SOON).toBeGreaterThan(before + LEASE_MS);
  expect([hold.version, losses]).toEqual([22, []]);
});

it.each<[string, (tasks: Entities, ifVersion: number) => Promise<Change | Replay>]>([
  ["leaves the state", (tasks, ifVersion) => tasks.transition("t1", "done", { ifVersion })],
  ["removes the entity", (tasks, ifVersion) => tasks.remove("t1", { ifVersion })],
])("ends without a loss when an own change %s", async (_, make) => {
  const { tasks } = await working("t1", "t2");
  const first = await held(tasks, "t1", 2);
  const second = await held(tasks, "t2", 2);
  await first.hold.change((ifVersion) => make(tasks, ifVersion));
  await tasks.remove("t2");
  await second.lost; // by now a renewal was due
  expect([first.losses, first.hold.signal.aborted]).toEqual([[], false]);
  const error = await rejectionOf(
    ContractError,
    first.hold.change(() => tasks.patch("t1", { set: { n: 1 } })),
  );
  expect(error.code).toBe("CLOSED");
});

describe("an own change is applied, and shows that the lease is lost because the version repeated, if", () => {
  async function lostWith(meddle: (tasks: Entities, lose: () => Promise<unknown>) => Promise<unknown>) {
    const { home, tasks } = await working("t1");
    const key = `{${home.namespace}:0}:task:id:t1`;
    const before = await (await admin()).dumpBuffer(key);
    await tasks.transition("t1", "working");
    const { hold, losses } = await held(tasks, "t1", 3);
    await meddle(tasks, async () => (await admin()).restore(key, 0, before, "REPLACE"));
    const change = await hold.change((ifVersion) => tasks.patch("t1", { set: { n: 1 }, ifVersion }));
    expect(change).toMatchObject({ version: 4, n: 1 });
    expect([losses.length, hold.signal.reason]).toEqual([1, losses[0]]);
    expect(losses[0]?.current).toMatchObject({ version: 4, n: 1 });
    return losses[0]?.message;
  }

  it("the server had lost the last change, and the entity left the state", async () => {
    const message = await lostWith(async (tasks, lose) => {
      await lose();
      await tasks.transition("t1", "done");
    });
    expect(message).toMatch(
      /^the lease of task t1 is lost: version 3 was used twice, also for state done since /,
    );
  });

  it("the server had lost the last change, and the state was entered again", async () => {
    const message = await lostWith(async (tasks, lose) => {
      const { since } = (await tasks.get("t1")) ?? {};
      // Not within the same millisecond.
      do await lose();
      while ((await tasks.transition("t1", "working")).since === since);
    });
    expect(message).toMatch(
      /^the lease of task t1 is lost: version 3 was used twice, also for state working since /,
    );
  });

  it("the id was removed and created again", async () => {
    const message = await lostWith(async (tasks) => {
      await tasks.remove("t1");
      await tasks.create("t1");
      await tasks.transition("t1", "working");
      await tasks.transition("t1", "working");
    });
    expect(message).toMatch(/^the lease of task t1 is lost: the entity was removed and created again at /);
  });
});

it("reports the loss before it throws the rejection of an own change", async () => {
  const { tasks } = await working("t1");
  const { hold, losses } = await held(tasks, "t1", 2);
  await tasks.patch("t1", { set: { taken: true } });
  const changing = hold.change((ifVersion) => tasks.patch("t1", { set: { n: 1 }, ifVersion }));
  await rejectionOf(ConflictError, changing);
  expect(losses).toEqual([hold.signal.reason]);
  expect(losses[0]?.current).toMatchObject({ version: 3, taken: true });
});

it("continues if an own change is rejected for another reason", async () => {
  const { tasks, leaseAt } = await working("t1");
  const { hold, losses } = await held(tasks, "t1", 2);
  await rejectionOf(
    NotFoundError,
    hold.change(() => tasks.patch("t2", { set: { n: 1 } })),
  );
  const before = await leaseAt("t1");
  await expect.poll(() => leaseAt("t1"), SOON).toBeGreaterThan(before + LEASE_MS);
  expect([hold.version, losses]).toEqual([2, []]);
});

it("rejects calls that would wait for their own callback, which continues", async () => {
  const { tasks } = await working("t1", "t2");
  const { hold } = await held(tasks, "t1", 2);
  const other = await held(tasks, "t2", 2);
  const codes: string[] = [];
  const change = await hold.change(async (ifVersion) => {
    const own = async () => hold.change(() => tasks.patch("t1", { set: { n: 1 } }));
    for (const inner of [own, () => hold.close(), () => other.hold.change(() => own())]) {
      codes.push((await rejectionOf(ContractError, inner())).code);
    }
    await other.hold.close();
    return tasks.patch("t1", { set: { n: 2 }, ifVersion });
  });
  expect([codes, change]).toMatchObject([["NESTED", "NESTED", "NESTED"], { version: 3, n: 2 }]);
});

it("accepts a change from work that an earlier callback left running", async () => {
  const { tasks } = await working("t1");
  const { hold } = await held(tasks, "t1", 2);
  let next: Promise<Change | Replay> | undefined;
  let isOver = (): void => {};
  const over = new Promise<void>((resolve) => {
    isOver = resolve;
  });
  await hold.change((ifVersion) => {
    next = over.then(() => hold.change((after) => tasks.patch("t1", { set: { n: 2 }, ifVersion: after })));
    return tasks.patch("t1", { set: { n: 1 }, ifVersion });
  });
  isOver();
  expect(await next).toMatchObject({ version: 4, n: 2 });
});

it("makes no change if the lease is lost", async () => {
  const { tasks } = await working("t1");
  const { hold, lost } = await held(tasks, "t1", 2);
  await tasks.patch("t1", { set: { taken: true } });
  const error = await lost;
  expect(await rejection(hold.change(() => tasks.patch("t1", { set: { n: 1 } })))).toBe(error);
  expect(await tasks.get("t1")).not.toHaveProperty("n");
});

it("stops when it is closed, and reports nothing more", async () => {
  const { tasks } = await working("t1", "t2");
  const first = await held(tasks, "t1", 2);
  const second = await held(tasks, "t2", 2);
  await first.hold.close();
  await first.hold[Symbol.asyncDispose]();
  await tasks.remove("t1");
  await tasks.remove("t2");
  await second.lost;
  expect([first.losses, first.hold.signal.aborted]).toEqual([[], false]);
});

it("reports a callback that fails", async () => {
  const { tasks } = await working("t1");
  const warned = new Promise<Error>((resolve) => {
    process.on("warning", resolve);
    onTestFinished(() => void process.off("warning", resolve));
  });
  const hold = await tasks.hold("t1", {
    version: 2,
    onLost: () => {
      throw new Error("boom");
    },
  });
  onTestFinished(() => hold.close());
  await tasks.remove("t1");
  expect((await warned).message).toBe("a listener of the lease of task t1 failed: boom");
});

it("does not start if there is no lease to hold", async () => {
  const { tasks } = await working("t1");
  await rejectionOf(ConflictError, tasks.hold("t1", { version: 1 }));
  await rejectionOf(NotFoundError, tasks.hold("t2"));
  await tasks.transition("t1", "done");
  await rejectionOf(NoLeaseError, tasks.hold("t1"));
});

it("rejects a misspelt option, which would leave the hold unfenced", async () => {
  const { tasks } = await working("t1");
  const options = { versoin: 2 };
  const error = await rejectionOf(ContractError, tasks.hold("t1", options as object));
  expect(error.message).toBe('unknown option "versoin"; did you mean "version"?');
});

it.each([
  [{ version: undefined }, "version is undefined; give a value or omit it"],
  [{ onLost: 5 }, "onLost must be a function, not a number"],
])("rejects the useless options %o", async (options, message) => {
  const { tasks, leaseAt } = await working("t1");
  const error = await rejectionOf(ContractError, tasks.hold("t1", options as object));
  expect([error.code, error.message]).toEqual(["BADARG", message]);
  expect(await leaseAt("t1")).toBe(0);
});

it("is lost from the start if the reply arrives after the end of the lease", async () => {
  const brief = defineMachine({
    name: "brief",
    version: 1,
    initial: "working",
    states: { working: { to: ["done"], lease: { for: 50, to: "done" } }, done: {} },
  });
  const tasks: Entities = await (await client()).machine(brief);
  await tasks.create("t1");
  await (await admin()).call("CLIENT", "PAUSE", "1000", "ALL");
  const losses: LeaseLostError[] = [];
  const hold = await tasks.hold("t1", { onLost: (lost) => losses.push(lost) });
  expect(hold.signal.aborted).toBe(true);
  expect(losses).toEqual([hold.signal.reason]);
  await hold.close();
});
