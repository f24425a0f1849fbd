import { describe, expect, it, onTestFinished } from "vitest";
import {
  type Change,
  ContractError,
  connect,
  type Entities,
  type Hold,
  LatchkeyError,
  NotDurableError,
  NotExecutedError,
  OutcomeUnknownError,
  type Replay,
} from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { rejectionOf } from "../helpers/client.js";
import { held, LEASE_MS, SOON, taskOf, working, workingFor } from "../helpers/held.js";
import { startProxy, type TcpProxy } from "../helpers/proxy.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

/** Cannot be met, because the server has no replica. */
const durability = { replicas: 1, timeoutMs: 1 };

/** Long enough for a server to disconnect and return, on a busy machine too. */
const LONG_MS = 15_000;

type Make = (tasks: Entities, ifVersion: number) => Promise<Change | Replay>;

const patched: Make = (tasks, ifVersion) =>
  tasks.patch("t1", { set: { n: 1 }, ifVersion, reason: "mine", timeout: 600 });
const done: Make = (tasks, ifVersion) =>
  tasks.transition("t1", "done", { ifVersion, reason: "mine", timeout: 600 });

/** Returns whether a hold has ended by itself, so that it accepts no change. */
async function isEnded(hold: Hold): Promise<boolean> {
  const error = await rejectionOf(
    LatchkeyError,
    hold.change(() => Promise.reject(new NotExecutedError("it goes on", ""))),
  );
  return error instanceof ContractError && error.code === "CLOSED";
}

/** Holds t1 over a connection that can be interrupted. */
async function heldAfar(version: number | undefined = 2, login = "", leaseMs = LONG_MS) {
  const { home, tasks, leaseAt } = await workingFor(leaseMs, "t1", "t2");
  await tasks.patch("t2", { set: { n: 1 } }); // its script is loaded now
  const proxy = await startProxy(await useValkey());
  const far = await connect({ url: proxy.url.replace("//", `//${login}`), namespace: home.namespace });
  onTestFinished(() => far.close());
  const farTasks: Entities = await far.machine(taskOf(leaseMs));
  return { tasks, leaseAt, proxy, farTasks, ...(await held(farTasks, "t1", version)) };
}

/** Counts the commands that a user was denied. */
async function denials(user: string): Promise<number> {
  const entries = (await (await admin()).call("ACL", "LOG")) as unknown[][];
  const mine = entries.filter((entry) => entry[entry.indexOf("username") + 1] === user);
  return mine.reduce((sum, entry) => sum + Number(entry[entry.indexOf("count") + 1]), 0);
}

/** Makes a change whose reply is lost together with the connection. */
async function loseAnswer(proxy: TcpProxy, hold: Hold, make: (ifVersion: number) => ReturnType<Make>) {
  proxy.dropReply("mine");
  const away = proxy.lost.then(() => proxy.shut(true));
  const error = await rejectionOf(OutcomeUnknownError, hold.change(make));
  await away;
  return error;
}

describe("an own change that was applied but is not durable", () => {
  it("is held, whether the error is thrown or returned", async () => {
    const { tasks, leaseAt } = await working("t1");
    const { hold, losses } = await held(tasks, "t1", 2);
    const changing = hold.change((ifVersion) => tasks.patch("t1", { set: { n: 1 }, ifVersion, durability }));
    expect(await rejectionOf(NotDurableError, changing)).toMatchObject({ document: { version: 3 } });
    expect(hold.version).toBe(3);
    const result = await hold.change((ifVersion) =>
      tasks.tryPatch("t1", { set: { n: 2 }, ifVersion, durability }),
    );
    expect(result).toMatchObject({ ok: true, durability: { met: false }, document: { version: 4 } });
    const before = await leaseAt("t1");
    await expect.poll(() => leaseAt("t1"), SOON).toBeGreaterThan(before + LEASE_MS);
    expect([hold.version, losses]).toEqual([4, []]);
  });

  it("ends the hold without a loss if it leaves the state", async () => {
    const { tasks } = await working("t1", "t2");
    const first = await held(tasks, "t1", 2);
    const second = await held(tasks, "t2", 2);
    const changing = first.hold.change((ifVersion) =>
      tasks.transition("t1", "done", { ifVersion, durability }),
    );
    await rejectionOf(NotDurableError, changing);
    await tasks.remove("t2");
    await second.lost; // by now a renewal was due
    expect([await isEnded(first.hold), first.losses]).toEqual([true, []]);
  });

  it("does not matter if it is another entity's", async () => {
    const { tasks, leaseAt } = await working("t1", "t2");
    await tasks.patch("t2", { set: { n: 1 } });
    const { hold, losses } = await held(tasks, "t1", 2);
    const changing = hold.change(() => tasks.patch("t2", { set: { n: 2 }, durability }));
    await rejectionOf(NotDurableError, changing);
    const before = await leaseAt("t1");
    await expect.poll(() => leaseAt("t1"), SOON).toBeGreaterThan(before);
    expect([hold.version, losses]).toEqual([2, []]);
  });
});

describe("an own change with an unknown outcome", () => {
  it("is held once the server reports that it was applied", async () => {
    const { hold, losses, leaseAt, proxy, farTasks } = await heldAfar();
    await loseAnswer(proxy, hold, (ifVersion) => patched(farTasks, ifVersion));
    const before = await leaseAt("t1");
    proxy.shut(false);
    await expect.poll(() => leaseAt("t1"), SOON).toBeGreaterThan(before);
    expect([hold.version, losses]).toEqual([3, []]);
  });

  it("is resolved before the next one is made", async () => {
    const { hold, losses, tasks, proxy, farTasks } = await heldAfar();
    const error = await loseAnswer(proxy, hold, (ifVersion) => patched(farTasks, ifVersion));
    proxy.shut(false);
    expect(await error.resolve({ timeout: "1m" })).toMatchObject({ outcome: "DONE", version: 3 });
    await hold.change((ifVersion) => farTasks.patch("t1", { set: { n: 2 }, ifVersion }));
    expect(await tasks.get("t1")).toMatchObject({ version: 4, n: 2 });
    expect(losses).toEqual([]);
  });

  it("ends the hold without a loss if it was applied and left the state", async () => {
    const { hold, losses, proxy, farTasks } = await heldAfar();
    await loseAnswer(proxy, hold, (ifVersion) => done(farTasks, ifVersion));
    proxy.shut(false);
    await expect.poll(() => isEnded(hold), SOON).toBe(true);
    expect([hold.signal.aborted, losses]).toEqual([false, []]);
  });

  it("ends an unfenced hold without a loss if it was applied and entered the state again", async () => {
    const { hold, losses, proxy, farTasks } = await heldAfar(undefined);
    await loseAnswer(proxy, hold, (ifVersion) =>
      farTasks.transition("t1", "working", { ifVersion, reason: "mine", timeout: 600 }),
    );
    proxy.shut(false);
    await expect.poll(() => isEnded(hold), SOON).toBe(true);
    expect([hold.signal.aborted, losses]).toEqual([false, []]);
  });

  it("changes nothing if it was not applied", async () => {
    const { hold, losses, tasks, leaseAt, proxy, farTasks } = await heldAfar();
    proxy.dropRequest("mine");
    const away = proxy.lost.then(() => proxy.shut(true));
    await rejectionOf(
      OutcomeUnknownError,
      hold.change((ifVersion) => patched(farTasks, ifVersion)),
    );
    await away;
    const before = await leaseAt("t1");
    proxy.shut(false);
    await expect.poll(() => leaseAt("t1"), SOON).toBeGreaterThan(before);
    expect([hold.version, losses, await tasks.get("t1")]).toMatchObject([2, [], { version: 2 }]);
  });

  it("does not hide that someone else changed the entity since", async () => {
    const { hold, lost, tasks, proxy, farTasks } = await heldAfar();
    await loseAnswer(proxy, hold, (ifVersion) => patched(farTasks, ifVersion));
    await tasks.patch("t1", { set: { taken: true } });
    proxy.shut(false);
    const error = await lost;
    expect(error.message).toMatch(
      /^the lease of task t1 is lost: task t1 does not match: expected version 3; found state working/,
    );
    expect(error.current).toMatchObject({ version: 4, taken: true });
  });

  it("prevents further changes while its outcome is unknown", async () => {
    const { hold, losses, tasks, leaseAt, proxy, farTasks } = await heldAfar();
    await loseAnswer(proxy, hold, (ifVersion) => patched(farTasks, ifVersion));
    let isMade = false;
    const make = async (): Promise<Change | Replay> => {
      isMade = true;
      return tasks.patch("t1", { set: { n: 2 } });
    };
    const error = await rejectionOf(NotExecutedError, hold.change(make));
    expect(error.message).toMatch(
      /^task t1 was not changed: the outcome of the previous change is still unknown/,
    );
    expect([isMade, losses]).toEqual([false, []]);
    const before = await leaseAt("t1");
    proxy.shut(false);
    await expect.poll(() => leaseAt("t1"), SOON).toBeGreaterThan(before);
    expect([hold.version, losses]).toEqual([3, []]);
  });

  it("does not lose the lease while its outcome is unknown, although a renewal is rejected", async () => {
    const user = freshNamespace();
    const server = await admin();
    await server.call("ACL", "SETUSER", user, "on", "nopass", "+@all", "~*", "&*");
    const { hold, losses, leaseAt, proxy, farTasks } = await heldAfar(2, `${user}:any@`);
    await loseAnswer(proxy, hold, (ifVersion) => patched(farTasks, ifVersion));
    await server.call("ACL", "SETUSER", user, "-lpos", "-xrange");
    proxy.shut(false);
    // The hold tries to renew between two attempts to resolve the change.
    await expect.poll(() => denials(user), SOON).toBeGreaterThan(1);
    await server.call("ACL", "SETUSER", user, "+lpos", "+xrange");
    const before = await leaseAt("t1");
    await expect.poll(() => leaseAt("t1"), SOON).toBeGreaterThan(before);
    expect([hold.version, losses]).toEqual([3, []]);
  });

  it("does not hold the lease longer than its end", async () => {
    const { hold, lost, proxy, farTasks } = await heldAfar(2, "", 1500);
    await loseAnswer(proxy, hold, (ifVersion) => patched(farTasks, ifVersion));
    const error = await lost;
    expect(error.message).toBe("the lease of task t1 is lost: no renewal was confirmed before its end");
    expect(error.cause).toBeInstanceOf(LatchkeyError);
  });

  it("does not matter if it is another entity's", async () => {
    const { hold, losses, leaseAt, proxy, farTasks } = await heldAfar();
    await loseAnswer(proxy, hold, () =>
      farTasks.patch("t2", { set: { n: 2 }, reason: "mine", timeout: 600 }),
    );
    const before = await leaseAt("t1");
    proxy.shut(false);
    await expect.poll(() => leaseAt("t1"), SOON).toBeGreaterThan(before);
    expect([hold.version, losses]).toEqual([2, []]);
  });
});

describe("an own change that is resolved after others changed the entity", () => {
  /** Loses the reply, and lets others change the entity before it is resolved. */
  async function overtaken(make: Make, meddle: (tasks: Entities) => Promise<unknown>, version?: number) {
    const all = await heldAfar(version);
    const { hold, tasks, farTasks, proxy } = all;
    proxy.dropReply("mine");
    const changing = hold.change((ifVersion) => make(farTasks, ifVersion));
    await proxy.lost;
    proxy.shut(true);
    await meddle(tasks);
    proxy.shut(false);
    expect(await changing).toMatchObject({ version: 4, opVersion: 3 });
    return all;
  }

  it("ends the hold without a loss if it left the state itself", async () => {
    const { hold, losses } = await overtaken(
      (tasks, ifVersion) => tasks.transition("t1", "done", { ifVersion, reason: "mine" }),
      (tasks) => tasks.patch("t1", { set: { seen: true } }),
      2,
    );
    expect([await isEnded(hold), hold.signal.aborted, losses]).toEqual([true, false, []]);
  });

  it.each([
    ["someone else left the state", 2, "done"],
    ["someone else left the state of an unfenced hold", undefined, "done"],
    ["someone else entered the state again", 2, "working"],
  ] as const)("reports the loss if %s", async (_, version, to) => {
    const { hold, lost } = await overtaken(
      (tasks, ifVersion) => tasks.patch("t1", { set: { n: 1 }, ifVersion, reason: "mine" }),
      (tasks) => tasks.transition("t1", to),
      version,
    );
    expect(await lost).toBe(hold.signal.reason);
    expect((await lost).current).toMatchObject({ version: 4, state: to });
  });
});
