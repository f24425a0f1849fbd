import { Valkey } from "iovalkey";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  type Change,
  ContractError,
  connect,
  type Entities,
  type Latchkey,
  type MachineDefinition,
  NotExecutedError,
  partitionOf,
  type Stuck,
} from "../../src/index.js";
import { runOut } from "../helpers/age.js";
import { admin } from "../helpers/calls.js";
import { all, client, rejectionOf } from "../helpers/client.js";
import { startProxy } from "../helpers/proxy.js";
import { recordingLogger } from "../helpers/secrets.js";
import { useValkey } from "../helpers/valkey.js";

const task = {
  name: "task",
  version: 1,
  initial: "waiting",
  states: {
    waiting: { to: ["working", "tried", "done"] },
    working: {
      to: ["done", "lost", "late"],
      lease: { for: "60s", to: "lost", set: { error: "no sign of life" } },
      timeout: { after: "60d", to: "late" },
    },
    tried: { to: ["judged"], timeout: { after: "1h", to: "judged" } },
    judged: { require: ["judgedAt"] },
    judge: { stamp: "judgedAt" },
    late: {},
    lost: { require: ["error"] },
    done: { retain: "7d" },
  },
} satisfies MachineDefinition;

async function tasks(partitions = 1): Promise<{ home: Latchkey; entities: Entities }> {
  const home = await client();
  await home.init(partitions);
  return { home, entities: await home.machine(task as MachineDefinition) };
}

async function put(entities: Entities, state: string, ...ids: string[]): Promise<void> {
  for (const id of ids) {
    await entities.create(id);
    await entities.transition(id, state);
  }
}

/** Returns a key of the partition that an entity belongs to. */
function key(home: Latchkey, id: string, rest: string): string {
  return `{${home.namespace}:${partitionOf(id, home.partitions ?? 1)}}:task:${rest}`;
}

const ids = (count: number, prefix = "t") => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

it("fires expired timers, removes entities at the end of their retention, and leaves all others", async () => {
  const { home, entities } = await tasks();
  await put(entities, "working", "t1", "t2");
  await put(entities, "done", "t3", "t4");
  for (const id of ["t1", "t3"]) await runOut(home, entities, id);
  const changes: string[] = [];
  const report = await entities.sweep({
    once: true,
    onChange: ({ type, id }) => void changes.push(`${id} ${type}`),
  });
  expect(report).toEqual({ expired: 1, removed: 1, given: 0, stuck: 0 });
  expect(changes.sort()).toEqual(["t1 task.lost", "t3 task.removed"]);
  expect(await entities.get("t1")).toMatchObject({ state: "lost", error: "no sign of life" });
  expect(await entities.get("t3")).toBeNull();
  expect((await all(entities.list())).map(({ id, state }) => [id, state])).toEqual([
    ["t2", "working"],
    ["t4", "done"],
    ["t1", "lost"],
  ]);
  expect((await entities.history("t1")).at(-1)).toMatchObject({ actor: "latchkey", from: "working" });
});

it("fires each timer once, however many replicas sweep at once", async () => {
  const { home, entities } = await tasks(3);
  const everyone = ids(200);
  await Promise.all(everyone.map((id) => put(entities, "working", id)));
  await Promise.all(everyone.map((id) => runOut(home, entities, id)));
  const { url } = await useValkey();
  const replicas = await Promise.all(
    ids(4).map(async () => {
      const replica = await connect({ url, namespace: home.namespace });
      onTestFinished(() => replica.close());
      return replica;
    }),
  );
  const reports = await Promise.all(replicas.map((replica) => replica.sweep({ once: true, batch: 7 })));
  expect(reports.reduce((sum, { expired }) => sum + expired, 0)).toBe(200);
  const changes = await all(entities.events({ after: "start", follow: false }));
  const lost = changes.filter(({ state }) => state === "lost").map(({ id }) => id);
  expect(lost.sort()).toEqual([...everyone].sort());
});

it("does not fire a lease whose heartbeat was in time", async () => {
  const { home, entities } = await tasks();
  await put(entities, "working", "t1");
  await runOut(home, entities, "t1");
  await entities.heartbeat("t1", { ifVersion: 2 });
  expect(await entities.sweep({ once: true })).toMatchObject({ expired: 0 });
  expect(await entities.get("t1")).toMatchObject({ state: "working", version: 2 });
});

describe("an entity without its deadline", () => {
  it("is found and gets it", async () => {
    const { home, entities } = await tasks(2);
    await put(entities, "working", "t1", "t2");
    await put(entities, "done", "t3");
    const valkey = await admin();
    const due = await valkey.zscore(key(home, "t1", "due"), "t1");
    await valkey.zrem(key(home, "t1", "due"), "t1");
    await valkey.zrem(key(home, "t3", "due"), "t3");
    expect(await entities.sweep({ once: true })).toEqual({ expired: 0, removed: 0, given: 2, stuck: 0 });
    expect(await valkey.zscore(key(home, "t1", "due"), "t1")).toBe(due);
    expect(await valkey.zscore(key(home, "t3", "due"), "t3")).not.toBeNull();
  });

  it("gets it from a newer machine with a new timer, and does not expire", async () => {
    const { home, entities } = await tasks();
    await entities.create("t1");
    await put(entities, "working", "t2");
    await runOut(home, entities, "t2");
    await (await admin()).zrem(key(home, "t2", "due"), "t2");
    const waiting = { ...task.states.waiting, timeout: { after: "1h", to: "done" } };
    await home.apply({ ...task, version: 2, states: { ...task.states, waiting } } as MachineDefinition);
    expect(await entities.sweep({ once: true })).toMatchObject({ given: 2, expired: 0 });
    expect(await entities.get("t2")).toMatchObject({ state: "working" });
  });

  it("gets an earlier one from a newer machine with a shorter timeout, but keeps the end of its lease", async () => {
    const { home, entities } = await tasks();
    await put(entities, "working", "t1");
    await put(entities, "tried", "t2");
    const valkey = await admin();
    const due = async (id: string) => Number(await valkey.zscore(key(home, id, "due"), id));
    const before = [await due("t1"), await due("t2")];
    const { working, tried } = task.states;
    const states = {
      ...task.states,
      working: { ...working, lease: { ...working.lease, for: "1s" } },
      tried: { ...tried, timeout: { ...tried.timeout, after: "30m" } },
    };
    await home.apply({ ...task, version: 2, states } as MachineDefinition);
    expect(await entities.sweep({ once: true })).toMatchObject({ given: 1, expired: 0 });
    expect([await due("t1"), (await due("t2")) + 30 * 60_000]).toEqual(before);
    expect(await entities.sweep({ once: true })).toMatchObject({ given: 0 });
  });

  it("expires at once if its deadline has passed", async () => {
    const { home, entities } = await tasks();
    await put(entities, "done", "t1");
    await runOut(home, entities, "t1");
    await (await admin()).zrem(key(home, "t1", "due"), "t1");
    expect(await entities.sweep({ once: true })).toMatchObject({ removed: 1, given: 0 });
  });

  it("is found among more entities than one step checks", async () => {
    const { home, entities } = await tasks();
    await Promise.all(ids(520).map((id) => put(entities, "working", id)));
    const valkey = await admin();
    for (const id of ["t0", "t300", "t519"]) await valkey.zrem(key(home, id, "due"), id);
    expect(await entities.sweep({ once: true })).toMatchObject({ given: 3 });
  });
});

it("removes the due entry of an entity that does not exist", async () => {
  const { home, entities } = await tasks();
  await (await admin()).zadd(key(home, "gone", "due"), 1, "gone");
  expect(await entities.sweep({ once: true })).toEqual({ expired: 0, removed: 0, given: 0, stuck: 0 });
  expect(await (await admin()).zcard(key(home, "gone", "due"))).toBe(0);
});

it("skips timers that cannot fire, reports each once, and fires all others", async () => {
  const { home, entities } = await tasks();
  await put(entities, "tried", ...ids(5, "s"));
  await put(entities, "working", "broken", ...ids(9));
  for (const id of [...ids(5, "s"), "broken", ...ids(9)]) await runOut(home, entities, id);
  await (await admin()).hdel(key(home, "broken", "id:broken"), "created");
  const stuck: Stuck[] = [];
  const { lines, logger } = recordingLogger();
  const { url } = await useValkey();
  const replica = await connect({ url, namespace: home.namespace, logger });
  onTestFinished(() => replica.close());
  const stop = new AbortController();
  const fired = new Set<string>();
  const report = await replica.sweep({
    signal: stop.signal,
    interval: 1,
    batch: 2,
    onStuck: (one) => {
      stuck.push(one);
      if (stuck.length === 6)
        void entities
          .create("last")
          .then(() => entities.transition("last", "working"))
          .then(() => runOut(home, entities, "last"));
    },
    onChange: ({ id }) => void (fired.add(id).size === 10 && stop.abort()),
  });
  expect(report).toMatchObject({ expired: 10, stuck: 6 });
  expect(fired).toContain("last");
  expect(stuck.map(({ id }) => id).sort()).toEqual(["broken", ...ids(5, "s")]);
  expect(stuck.find(({ id }) => id === "s0")).toMatchObject({ machine: "task", why: /stamp/ });
  expect(stuck.find(({ id }) => id === "broken")?.why).toMatch(/LAYOUT.*latchkey fsck --repair/);
  expect(lines.filter((line) => line.includes("cannot fire"))).toHaveLength(6);
});

it("continues until its signal is aborted, and then returns its report", async () => {
  const { home, entities } = await tasks();
  const stop = new AbortController();
  const seen: Change[] = [];
  const sweeping = home.sweep({
    signal: stop.signal,
    interval: 1,
    onChange: (change) => {
      seen.push(change);
      if (seen.length === 2) stop.abort();
    },
  });
  for (const id of ["t1", "t2"]) {
    await put(entities, "working", id);
    await runOut(home, entities, id);
  }
  expect(await sweeping).toMatchObject({ expired: 2 });
  expect(seen.map(({ id }) => id)).toEqual(["t1", "t2"]);
});

it("ends at once if its signal is aborted already", async () => {
  const { home, entities } = await tasks();
  await put(entities, "working", "t1");
  await runOut(home, entities, "t1");
  expect(await entities.sweep({ signal: AbortSignal.abort() })).toMatchObject({ expired: 0 });
});

it("sweeps every machine of the namespace, also those that are installed later", async () => {
  const { home, entities } = await tasks();
  await put(entities, "working", "t1");
  await runOut(home, entities, "t1");
  const stop = new AbortController();
  const seen: string[] = [];
  const sweeping = home.sweep({
    signal: stop.signal,
    interval: 1,
    onChange: ({ machine }) => {
      seen.push(machine);
      if (seen.length === 2) stop.abort();
    },
  });
  await expect.poll(() => seen).toEqual(["task"]);
  const others = await home.machine({ ...task, name: "other" } as MachineDefinition);
  await put(others, "working", "o1");
  await runOut(home, others, "o1");
  expect(await sweeping).toMatchObject({ expired: 2 });
  expect(seen).toEqual(["task", "other"]);
});

it("waits for a server that does not reply, reports it once, and continues", async () => {
  const { home, entities } = await tasks();
  const proxy = await startProxy(await useValkey());
  const { lines, logger } = recordingLogger();
  const hasty = { timeout: 100, silenceTimeoutMs: 300 };
  const replica = await connect({ url: proxy.url, namespace: home.namespace, logger, ...hasty });
  onTestFinished(() => replica.close());
  const stop = new AbortController();
  const outages: string[] = [];
  const sweeping = replica.sweep({
    ...{ signal: stop.signal, interval: 1 },
    onAway: ({ code }) => void outages.push(code),
    onBack: () => void outages.push("back"),
  });
  for (const id of ["t1", "t2"]) {
    await put(entities, "working", id);
    await runOut(home, entities, id);
    await expect.poll(async () => (await entities.get(id))?.state).toBe("lost");
    if (id === "t1") {
      proxy.holdReply("zcount");
      await expect.poll(() => outages).toContain("NOTEXECUTED");
    }
  }
  await expect.poll(() => outages).toContain("back");
  stop.abort();
  await sweeping;
  // A slow machine may have more than one outage.
  expect(outages.join(" ")).toMatch(/^(NOTEXECUTED back ?)+(NOTEXECUTED)?$/);
  expect(lines.filter((line) => line.includes("could not fire all timers"))).toHaveLength(
    outages.filter((one) => one === "NOTEXECUTED").length,
  );
});

it("fails with `once` if the server is unreachable or the machine is not installed", async () => {
  const { home } = await tasks();
  const valkey = new Valkey((await useValkey()).url);
  onTestFinished(() => valkey.disconnect());
  const far = await client({ client: valkey, namespace: home.namespace, reinstall: false });
  const entities = await far.machine(task as MachineDefinition);
  await (await admin()).del(key(home, "t1", "machine"));
  await rejectionOf(ContractError, entities.sweep({ once: true }));
  valkey.disconnect();
  await rejectionOf(NotExecutedError, entities.sweep({ once: true }));
});

it("continues if a listener throws, and reports the error", async () => {
  const { home, entities } = await tasks();
  await put(entities, "working", "t1", "t2");
  for (const id of ["t1", "t2"]) await runOut(home, entities, id);
  const warned = new Promise<Error>((resolve) => {
    process.on("warning", resolve);
    onTestFinished(() => void process.off("warning", resolve));
  });
  const onChange = (): void => {
    throw new Error("boom");
  };
  expect(await entities.sweep({ once: true, onChange })).toMatchObject({ expired: 2 });
  expect((await warned).message).toBe("a listener of a sweep failed: boom");
});
