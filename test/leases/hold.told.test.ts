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

/** No replica follows, so that it is never met. */
const durability = { replicas: 1, timeoutMs: 1 };

/** Long enough for a server to go and come back, on a busy machine too. */
const LONG_MS = 15_000;

type Make = (tasks: Entities, ifVersion: number) => Promise<Change | Replay>;

const patched: Make = (tasks, ifVersion) =>
  tasks.patch("t1", { set: { n: 1 }, ifVersion, reason: "mine", timeout: 600 });
const done: Make = (tasks, ifVersion) =>
  tasks.transition("t1", "done", { ifVersion, reason: "mine", timeout: 600 });

/** Whether a hold has ended by itself: it takes no change any more. */
async function isEnded(hold: Hold): Promise<boolean> {
  const error = await rejectionOf(
    LatchkeyError,
    hold.change(() => Promise.reject(new NotExecutedError("it goes on", ""))),
  );
  return error instanceof ContractError && error.code === "CLOSED";
}

/** Holds t1 by a connection that can be cut. */
async function heldAfar(version: number | undefined = 2, login = "", leaseMs = LONG_MS) {
  const { home, tasks, leaseAt } = await workingFor(leaseMs, "t1", "t2");
  await tasks.patch("t2", { set: { n: 1 } }); // its script is loaded now
  const proxy = await startProxy(await useValkey());
  const far = await connect({ url: proxy.url.replace("//", `//${login}`), namespace: home.namespace });
  onTestFinished(() => far.close());
  const farTasks: Entities = await far.machine(taskOf(leaseMs));
  return { tasks, leaseAt, proxy, farTasks, ...(await held(farTasks, "t1", version)) };
}

/** How often a user was refused a command. */
async function denials(user: string): Promise<number> {
  const entries = (await (await admin()).call("ACL", "LOG")) as unknown[][];
  const mine = entries.filter((entry) => entry[entry.indexOf("username") + 1] === user);
  return mine.reduce((sum, entry) => sum + Number(entry[entry.indexOf("count") + 1]), 0);
}

/** Makes a change whose answer is lost, and the server with it. */
async function loseAnswer(proxy: TcpProxy, hold: Hold, make: (ifVersion: number) => ReturnType<Make>) {
  proxy.dropReply("mine");
  const away = proxy.lost.then(() => proxy.shut(true));
  const error = await rejectionOf(OutcomeUnknownError, hold.change(make));
  await away;
  return error;
}

describe("a change of one's own that was made, and is not durable,", () => {
  it("is held, whether that is thrown or returned", async () => {
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

  it("ends the hold without a loss where it leaves the state", async () => {
    const { tasks } = await working("t1", "t2");
    const first = await held(tasks, "t1", 2);
    const second = await held(tasks, "t2", 2);
    const changing = first.hold.change((ifVersion) =>
      tasks.transition("t1", "done", { ifVersion, durability }),
    );
    await rejectionOf(NotDurableError, changing);
    await tasks.remove("t2");
    await second.lost; // a renewal's time has passed
    expect([await isEnded(first.hold), first.losses]).toEqual([true, []]);
  });

  it("is no matter where it is another entity's", async () => {
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

describe("a change of one's own of which is not known whether it was made", () => {
  it("is held once the server tells that it was", async () => {
    const { hold, losses, leaseAt, proxy, farTasks } = await heldAfar();
    await loseAnswer(proxy, hold, (ifVersion) => patched(farTasks, ifVersion));
    const before = await leaseAt("t1");
    proxy.shut(false);
    await expect.poll(() => leaseAt("t1"), SOON).toBeGreaterThan(before);
    expect([hold.version, losses]).toEqual([3, []]);
  });

  it("is found out before the next one is made", async () => {
    const { hold, losses, tasks, proxy, farTasks } = await heldAfar();
    const error = await loseAnswer(proxy, hold, (ifVersion) => patched(farTasks, ifVersion));
    proxy.shut(false);
    expect(await error.resolve({ timeout: "1m" })).toMatchObject({ outcome: "DONE", version: 3 });
    await hold.change((ifVersion) => farTasks.patch("t1", { set: { n: 2 }, ifVersion }));
    expect(await tasks.get("t1")).toMatchObject({ version: 4, n: 2 });
    expect(losses).toEqual([]);
  });

  it("ends the hold without a loss where it was, and left the state", async () => {
    const { hold, losses, proxy, farTasks } = await heldAfar();
    await loseAnswer(proxy, hold, (ifVersion) => done(farTasks, ifVersion));
    proxy.shut(false);
    await expect.poll(() => isEnded(hold), SOON).toBe(true);
    expect([hold.signal.aborted, losses]).toEqual([false, []]);
  });

  it("ends an unfenced hold without a loss where it was, and entered the state anew", async () => {
    const { hold, losses, proxy, farTasks } = await heldAfar(undefined);
    await loseAnswer(proxy, hold, (ifVersion) =>
      farTasks.transition("t1", "working", { ifVersion, reason: "mine", timeout: 600 }),
    );
    proxy.shut(false);
    await expect.poll(() => isEnded(hold), SOON).toBe(true);
    expect([hold.signal.aborted, losses]).toEqual([false, []]);
  });

  it("changes nothing where it was not", async () => {
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

  it("does not hide that someone else has changed the entity since", async () => {
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

  it("lets no other be made while the server can't tell", async () => {
    const { hold, losses, tasks, leaseAt, proxy, farTasks } = await heldAfar();
    await loseAnswer(proxy, hold, (ifVersion) => patched(farTasks, ifVersion));
    let isMade = false;
    const make = async (): Promise<Change | Replay> => {
      isMade = true;
      return tasks.patch("t1", { set: { n: 2 } });
    };
    const error = await rejectionOf(NotExecutedError, hold.change(make));
    expect(error.message).toMatch(
      /^task t1 was not changed: what became of the change before it can't be told/,
    );
    expect([isMade, losses]).toEqual([false, []]);
    const before = await leaseAt("t1");
    proxy.shut(false);
    await expect.poll(() => leaseAt("t1"), SOON).toBeGreaterThan(before);
    expect([hold.version, losses]).toEqual([3, []]);
  });

  it("lets nothing be told as a loss while the server can't tell, though it refuses to renew", async () => {
    const user = freshNamespace();
    const server = await admin();
    await server.call("ACL", "SETUSER", user, "on", "nopass", "+@all", "~*", "&*");
    const { hold, losses, leaseAt, proxy, farTasks } = await heldAfar(2, `${user}:any@`);
    await loseAnswer(proxy, hold, (ifVersion) => patched(farTasks, ifVersion));
    await server.call("ACL", "SETUSER", user, "-multi");
    proxy.shut(false);
    // Between two times that it asks what became of the change, it asks to renew.
    await expect.poll(() => denials(user), SOON).toBeGreaterThan(1);
    await server.call("ACL", "SETUSER", user, "+multi");
    const before = await leaseAt("t1");
    await expect.poll(() => leaseAt("t1"), SOON).toBeGreaterThan(before);
    expect([hold.version, losses]).toEqual([3, []]);
  });

  it("does not outlive the lease's own end", async () => {
    const { hold, lost, proxy, farTasks } = await heldAfar(2, "", 1500);
    await loseAnswer(proxy, hold, (ifVersion) => patched(farTasks, ifVersion));
    const error = await lost;
    expect(error.message).toBe("the lease of task t1 is lost: no renewal was confirmed before its end");
    expect(error.cause).toBeInstanceOf(LatchkeyError);
  });

  it("is no matter where it is another entity's", async () => {
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

describe("a change of one's own that is told late, after others came,", () => {
  /** Its answer is lost; when it is asked about, someone else has been there. */
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

  it("ends the hold without a loss where it left the state itself", async () => {
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
    ["someone else entered the state anew", 2, "working"],
  ] as const)("tells the loss where %s", async (_, version, to) => {
    const { hold, lost } = await overtaken(
      (tasks, ifVersion) => tasks.patch("t1", { set: { n: 1 }, ifVersion, reason: "mine" }),
      (tasks) => tasks.transition("t1", to),
      version,
    );
    expect(await lost).toBe(hold.signal.reason);
    expect((await lost).current).toMatchObject({ version: 4, state: to });
  });
});
