import { expect, it, onTestFinished } from "vitest";
import {
  agent,
  type ConnectOptions,
  ContractError,
  connect,
  type DataLoss,
  type Entities,
  GapError,
  type Latchkey,
  LayoutError,
  type MachineDefinition,
} from "../../src/index.js";
import type { AgentState } from "../../src/machine/agent.js";
import { silentLogger } from "../../src/valkey/logger.js";
import { all, rejectionOf } from "../helpers/client.js";
import { adminOf, ownServer } from "../helpers/doctor.js";
import { replicated } from "../helpers/replica.js";
import { watchedBy } from "../helpers/sentinel.js";

/** A machine with a timer, in two versions. */
const task = (version: number): MachineDefinition => ({
  name: "task",
  version,
  initial: "open",
  states: {
    open: { to: ["done"], timeout: { after: 1, to: "done" } },
    done: {},
    ...(version > 1 && { late: {} }),
  },
});

/** A server of this test alone, and clients of it that record reported losses. */
async function lossy() {
  const { server, admin } = await ownServer();
  const losses: DataLoss[] = [];
  const warnings: string[] = [];
  const logger = { ...silentLogger, warn: (_: object, message: string) => void warnings.push(message) };
  const open = async (options: ConnectOptions = {}): Promise<Latchkey> => {
    const latchkey = await connect({
      ...{ url: server.url, namespace: "t", logger, onDataLoss: (loss) => void losses.push(loss) },
      ...options,
    });
    onTestFinished(() => latchkey.close());
    return latchkey;
  };
  /** Loses all data, as a server without persistence does when it restarts. */
  const restart = async (): Promise<void> => {
    await admin.flushall();
    await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  };
  return { server, admin, losses, warnings, open, restart };
}

it.each(["flushall", "restart"] as const)(
  "installs its machines again, once for all waiting calls, after %s",
  async (how) => {
    const { admin, losses, warnings, open, restart } = await lossy();
    const home = await open({ timeout: "60s" });
    await home.init(4);
    const agents = await home.machine(agent());
    const tasks = await home.machine(task(1));
    await Promise.all(Array.from({ length: 8 }, (_, n) => agents.create(`a${n}`)));
    await (how === "restart" ? restart() : admin.flushall());
    await admin.config("RESETSTAT");
    const calls = Array.from({ length: 200 }, (_, n) => agents.create(`b${n}`));
    expect(await Promise.all(calls)).toHaveLength(200);
    expect(await agents.get("a1")).toBeNull();
    expect(await tasks.count()).toEqual({ open: 0, done: 0 });
    expect(losses).toEqual([{ namespace: "t", machines: ["agent", "task"], isReinstalled: true }]);
    expect(warnings.filter((text) => text.startsWith("the server has lost data"))).toEqual([
      "the server has lost data: machines agent, task, installed again, without entities",
    ]);
    expect(await admin.hgetall("{t}:meta")).toEqual({ layout: "2", partitions: "4" });
    // Two machines in four partitions, each asked and then installed.
    expect(await admin.info("commandstats")).toContain("cmdstat_hsetnx:calls=2,");
  },
);

it.each<[string, (home: Latchkey) => Promise<unknown>]>([
  ["get", async (home) => (await home.installed("agent"))?.get("a1")],
  ["list", async (home) => all((await home.machine(agent())).list())],
])("recovers when the first call after the loss is %s of a new Entities", async (_, call) => {
  const { admin, open } = await lossy();
  const home = await open();
  await home.machine(agent());
  await admin.flushall();
  await call(home);
  expect(home.partitions).toBe(1);
});

it("recovers when the first call after the loss is a read, a heartbeat, a hold or a sweep", async () => {
  const { admin, losses, open } = await lossy();
  const home = await open();
  const agents = await home.machine(agent());
  const calls: (() => Promise<unknown>)[] = [
    () => agents.get("a1"),
    () => agents.count(),
    () => agents.listPage(),
    () => all(agents.list()),
    () => agents.tryHeartbeat("a1"),
    () => agents.hold("a1").catch(() => {}), // it does not exist any more
    () => agents.sweep({ once: true }),
    () => agents.tryPatch("a1", { set: { n: 1 } }),
    () => agents.tryRemove("a1"),
  ];
  for (const call of calls) {
    await admin.flushall();
    await call();
    expect(await admin.hget("{t:0}:machines", "agent")).toBe("1");
  }
  expect(losses).toHaveLength(calls.length);
});

it("reinstalls nothing with `reinstall: false`, and reports the loss once", async () => {
  const { admin, losses, open } = await lossy();
  const home = await open({ reinstall: false });
  const agents = await home.machine(agent());
  await agents.create("a1");
  await admin.flushall();
  for (let n = 0; n < 3; n++) {
    const error = await rejectionOf(ContractError, agents.create("a1"));
    expect(error.code).toBe("NOMACHINE");
  }
  expect(await admin.dbsize()).toBe(0);
  expect(losses).toEqual([{ namespace: "t", machines: ["agent"], isReinstalled: false }]);
  await home.apply(agent());
  await agents.create("a1");
  await admin.flushall();
  await rejectionOf(ContractError, agents.create("a1"));
  expect(losses).toHaveLength(2);
});

it("never installs an older version over a newer one, and replaces an older one that another client installed", async () => {
  const { admin, open, restart } = await lossy();
  const old = await open();
  const first = await old.machine(task(1));
  const current = await open();
  const second = await current.machine(task(2));
  await admin.flushall();
  await first.create("t1"); // the old client is faster
  expect(await admin.hget("{t:0}:machines", "task")).toBe("1");
  await admin.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  await expect.poll(() => admin.hget("{t:0}:machines", "task")).toBe("2");
  await restart();
  await second.create("t2");
  await first.create("t3");
  expect(await admin.hget("{t:0}:machines", "task")).toBe("2");
});

it("installs the newest version in a partition that lacks the machine", async () => {
  const { admin, losses, open } = await lossy();
  const old = await open();
  await old.init(4);
  const first = await old.machine(task(1));
  await (await open()).apply(task(2));
  await admin.del("{t:2}:task:machine");
  for (let n = 0; n < 8; n++) await first.create(`t${n}`);
  expect(await admin.hget("{t:2}:task:machine", "version")).toBe("2");
  expect(losses).toEqual([{ namespace: "t", machines: ["task"], isReinstalled: true }]);
});

it("rejects every call once the namespace has another number of partitions after a reconnection", async () => {
  const { open, restart } = await lossy();
  const home = await open();
  const agents = await home.machine(agent());
  await restart();
  await (await open()).init(4);
  const error = await rejectionOf(LayoutError, agents.create("a1"));
  expect(error.message).toBe(
    'namespace "t" has 4 partitions now, and had 1: it was deleted and created anew; connect again',
  );
  const calls = [agents.get("a1"), all(agents.list()), home.machines(), home.serverTime(), home.sweep()];
  for (const call of calls) expect(await rejectionOf(LayoutError, call)).toBe(error);
});

it("rejects every call once another layout is found", async () => {
  const { admin, open } = await lossy();
  const agents = await (await open()).machine(agent());
  await admin.flushall();
  await admin.hset("{t}:meta", "layout", "3", "partitions", "1");
  const error = await rejectionOf(LayoutError, agents.create("a1"));
  expect(error.message).toContain("has layout 3");
  await admin.flushall();
  expect(await rejectionOf(LayoutError, agents.create("a1"))).toBe(error);
});

it("checks the namespace without a request per call", async () => {
  const { admin, open } = await lossy();
  const agents = await (await open()).machine(agent());
  await agents.create("a1");
  await admin.config("RESETSTAT");
  for (let n = 0; n < 20; n++) await agents.patch("a1", { set: { n } });
  expect(await admin.info("commandstats")).not.toMatch(/cmdstat_(hmget|hsetnx):/);
});

it("checks one key of the namespace, and not all partitions, before the first change in each partition", async () => {
  const { admin, open } = await lossy();
  const home = await open();
  await home.init(64);
  const agents = await home.machine(agent());
  await admin.config("RESETSTAT");
  await Promise.all(Array.from({ length: 200 }, (_, n) => agents.create(`a${n}`)));
  const [, calls] = /cmdstat_hmget:calls=(\d+)/.exec(await admin.info("commandstats")) ?? [];
  expect(Number(calls)).toBeLessThan(1_000);
});

it("keeps sweeps, reactions and followers running over a loss", async () => {
  const { admin, open } = await lossy();
  const home = await open();
  const tasks = await home.machine(task(1));
  await tasks.create("t1");
  const stop = new AbortController();
  const sweeping = tasks.sweep({ signal: stop.signal, interval: 20 });
  const handled: string[] = [];
  const reaction = await tasks.react("watch", ({ id, state }) => void handled.push(`${id} ${state}`));
  const log = tasks.events({ after: "start" })[Symbol.asyncIterator]();
  await log.next();
  await expect.poll(() => handled).toContain("t1 done");
  await log.next();
  await admin.flushall();
  const gap = rejectionOf(GapError, log.next());
  await expect.poll(async () => (await tasks.tryCreate("t2")).outcome).toBe("EXISTS");
  expect((await gap).reason).toBe("lost");
  await expect.poll(() => handled, { timeout: 5_000 }).toContain("t2 done");
  await reaction.close();
  stop.abort();
  expect((await sweeping).expired).toBe(2);
});

it.each<[string, (list: Entities<AgentState>) => Promise<unknown>]>([
  ["reacts", (list) => list.react("watch", () => {})],
  ["follows", (list) => list.follow(() => {})],
  [
    "waits for a state",
    async (list) => void list.waitFor("a1", "running", { timeout: "1m" }).catch(() => {}),
  ],
])("reports a loss and installs its machines again although it only %s", async (_, begin) => {
  const { admin, losses, open } = await lossy();
  const list = await (await open()).machine(agent());
  await list.create("a1");
  await begin(list);
  await expect.poll(async () => String(await admin.client("LIST"))).toContain("latchkey-subscribe");
  await admin.flushall();
  await expect.poll(() => admin.hget("{t:0}:machines", "agent"), { timeout: 30_000 }).toBe("1");
  await expect.poll(() => losses).toEqual([{ namespace: "t", machines: ["agent"], isReinstalled: true }]);
});

it("works on an empty replica that became the primary", async () => {
  const { primary, admin, stopPrimary } = await replicated({ replica: ["--replica-read-only", "no"] });
  const sentinel = await watchedBy(primary);
  const losses: DataLoss[] = [];
  const latchkey = await connect({
    ...{ url: `valkey+sentinel://127.0.0.1:${sentinel}/main`, namespace: "t", timeout: "25s" },
    onDataLoss: (loss) => void losses.push(loss),
  });
  onTestFinished(() => latchkey.close());
  const agents = await latchkey.machine(agent());
  await agents.create("a1", {}, { durability: { replicas: 1 } });
  const [, port] = /slave0:ip=[^,]*,port=(\d+)/.exec(await admin.info("replication")) ?? [];
  const replica = await adminOf({ ...primary, port: Number(port) });
  await stopPrimary();
  await replica.flushall();
  expect(await agents.create("a1")).toMatchObject({ version: 1 });
  expect(losses).toEqual([{ namespace: "t", machines: ["agent"], isReinstalled: true }]);
});

it("lets nobody win twice after a flush, if two clients know different numbers of partitions", async () => {
  const { admin, open } = await lossy();
  for (const [before, now] of [
    [1, 4],
    [4, 1],
    [2, 4],
    [4, 2],
  ] as const) {
    await admin.flushall();
    const old = await open();
    await old.init(before);
    const theirs = await old.machine(agent());
    await Promise.all(Array.from({ length: 20 }, (_, n) => theirs.create(`before${n}`)));
    await admin.flushall();
    const fresh = await open();
    await fresh.init(now);
    const ours = await fresh.machine(agent());
    const wins = await Promise.all(
      Array.from({ length: 40 }, async (_, n) => {
        const both = await Promise.allSettled([theirs.tryCreate(`a${n}`), ours.tryCreate(`a${n}`)]);
        return both.filter((one) => one.status === "fulfilled" && one.value.ok).length;
      }),
    );
    expect(new Set(wins)).toEqual(new Set([1]));
    expect(await ours.count()).toMatchObject({ spawning: 40 });
  }
});
