import { describe, expect, it, onTestFinished } from "vitest";
import {
  ContractError,
  connect,
  type Entities,
  type Latchkey,
  type MachineDefinition,
  partitionOf,
  type Stuck,
  type SweepOptions,
  type SweepReport,
} from "../../src/index.js";
import { runOut } from "../helpers/age.js";
import { admin } from "../helpers/calls.js";
import { client, rejectionOf } from "../helpers/client.js";
import { recordingLogger } from "../helpers/secrets.js";
import { useValkey } from "../helpers/valkey.js";

const states = {
  waiting: { to: ["late"], timeout: { after: "1h", to: "late" } },
  late: {},
} satisfies MachineDefinition["states"];

interface Task {
  readonly home: Latchkey;
  readonly entities: Entities;
  readonly key: (rest: string, partition?: number) => string;
  readonly overdue: (...ids: string[]) => Promise<void>;
}

async function tasks(partitions = 1, name = "task", within?: Latchkey): Promise<Task> {
  const home = within ?? (await client());
  await home.init(partitions);
  const entities: Entities = await home.machine({
    ...{ name, version: 1, initial: "waiting" },
    states,
  } as MachineDefinition);
  const overdue = async (...ids: string[]): Promise<void> => {
    await Promise.all(ids.map((id) => entities.create(id)));
    await Promise.all(ids.map((id) => runOut(home, entities, id)));
  };
  const key = (rest: string, partition = 0): string => `{${home.namespace}:${partition}}:${name}:${rest}`;
  return { home, entities, key, overdue };
}

const many = (count: number, prefix: string) => Array.from({ length: count }, (_, n) => `${prefix}${n}`);

/** Returns ids of one partition. */
const idsOf = (partition: number, partitions: number, count: number): string[] =>
  many(100, "p")
    .filter((id) => partitionOf(id, partitions) === partition)
    .slice(0, count);

interface Sweeping {
  readonly stuck: Stuck[];
  readonly fired: string[];
  readonly away: string[];
  readonly lines: string[];
  readonly stop: () => Promise<SweepReport>;
}

/** Starts a sweep of all machines in small batches. It ends with the test at the latest. */
async function start({ home }: Task, options: SweepOptions = {}): Promise<Sweeping> {
  const { lines, logger } = recordingLogger();
  const { url } = await useValkey();
  const replica = await connect({ url, namespace: home.namespace, logger });
  onTestFinished(() => replica.close());
  const end = new AbortController();
  const [stuck, fired, away]: [Stuck[], string[], string[]] = [[], [], []];
  const report = replica.sweep({
    ...{ signal: end.signal, interval: 1, batch: 3 },
    onStuck: (one) => void stuck.push(one),
    onChange: ({ id }) => void fired.push(id),
    onAway: ({ message }) => void away.push(message),
    ...options,
  });
  const stop = (): Promise<SweepReport> => {
    end.abort();
    return report;
  };
  return { stuck, fired, away, lines, stop };
}

const warnings = ({ lines }: Sweeping): string[] => lines.filter((line) => line.includes("cannot fire"));

/** Damage of entities and of `due`, ahead of all valid entries, and the reported problem. */
const damage: [title: string, put: (task: Task) => Promise<unknown>, why: RegExp][] = [
  [
    "invalid ids in due",
    async ({ key }) => (await admin()).zadd(key("due"), ...many(10, "bad id ").flatMap((id, n) => [n, id])),
    /not an id of this partition.*latchkey fsck --repair -m task/,
  ],
  [
    "entities of another type",
    async ({ key, overdue }) => {
      const ids = many(10, "s");
      await overdue(...ids);
      const valkey = await admin();
      for (const [n, id] of ids.entries()) {
        await valkey.set(key(`id:${id}`), "junk");
        await valkey.zadd(key("due"), n, id);
      }
    },
    /damaged \(WRONGTYPE\).*latchkey fsck --repair -m task/,
  ],
  [
    "logs of another type",
    async ({ key, overdue }) => {
      const ids = many(10, "s");
      await overdue(...ids);
      const valkey = await admin();
      for (const id of ids) await valkey.set(key(`log:${id}`), "junk");
    },
    /damaged \(WRONGTYPE\).*latchkey fsck --repair -m task/,
  ],
  [
    "entities of another layout",
    async ({ key, overdue }) => {
      const ids = many(10, "s");
      await overdue(...ids);
      const valkey = await admin();
      for (const id of ids) await valkey.hdel(key(`id:${id}`), "created");
    },
    /damaged \(LAYOUT\).*latchkey fsck --repair -m task/,
  ],
];

describe.each(damage)("%s", (_, put, why) => {
  it("delay nothing, and are reported once each", async () => {
    const task = await tasks();
    await put(task);
    const sweeping = await start(task);
    await expect.poll(() => sweeping.stuck.length).toBe(10);
    await task.overdue("good");
    await expect.poll(() => sweeping.fired).toEqual(["good"]);
    expect(await sweeping.stop()).toEqual({ expired: 1, removed: 0, given: 0, stuck: 10 });
    expect(new Set(sweeping.stuck.map(({ id }) => id)).size).toBe(10);
    for (const one of sweeping.stuck) expect(one).toMatchObject({ machine: "task", why });
    expect(warnings(sweeping)).toHaveLength(10);
    expect(sweeping.away).toEqual([]);
  });

  it("are counted by a sweep with `once`, which fires all others", async () => {
    const task = await tasks();
    await put(task);
    await task.overdue("good");
    expect(await task.entities.sweep({ once: true, batch: 3 })).toMatchObject({ expired: 1, stuck: 10 });
  });
});

it("reports an invalid id in the index, and checks the entries after it", async () => {
  const task = await tasks();
  await task.entities.create("lost");
  const valkey = await admin();
  await valkey.zrem(task.key("due"), "lost");
  await valkey.zadd(task.key("index"), 5, "bad id");
  const stuck: Stuck[] = [];
  const report = await task.entities.sweep({ once: true, onStuck: (one) => void stuck.push(one) });
  expect(report).toMatchObject({ given: 1, stuck: 1 });
  expect(stuck).toMatchObject([{ id: "bad id", why: /not an id.*latchkey fsck --repair/ }]);
});

it("reports an entry that is not text, and continues", async () => {
  const task = await tasks();
  const valkey = await admin();
  await valkey.zadd(task.key("due"), 1, Buffer.from([0xff, 0xfe]));
  await task.overdue("good");
  expect(await task.entities.sweep({ once: true })).toMatchObject({ expired: 1, stuck: 1 });
});

it("skips more than a batch of entries with an infinite score in the wrong partition, and reports each", async () => {
  const task = await tasks(2);
  const [elsewhere, good] = [idsOf(1, 2, 5), idsOf(0, 2, 6).slice(5)];
  await (await admin()).zadd(task.key("due"), ...elsewhere.flatMap((id) => ["-inf", id]));
  await task.overdue(...good);
  const stuck: Stuck[] = [];
  const report = await task.home.sweep({ once: true, batch: 3, onStuck: (one) => void stuck.push(one) });
  expect(report).toMatchObject({ expired: 1, stuck: 5 });
  expect(stuck.map(({ id }) => id).sort()).toEqual(elsewhere.toSorted());
  expect(stuck[0]?.why).toMatch(/not an id of this partition.*latchkey fsck --repair -m task/);
});

it("reports a problem again that was fixed and came back", async () => {
  const task = await tasks();
  const valkey = await admin();
  const sweeping = await start(task);
  const put: (() => Promise<unknown>)[] = [
    () => valkey.zadd(task.key("due"), 1, "bad id"),
    () => valkey.zadd(task.key("index"), 5, "other id"),
    async () => {
      await task.entities.create("s0");
      await valkey.hdel(task.key("id:s0"), "created"); // before it is due, else it may fire
      await runOut(task.home, task.entities, "s0");
    },
  ];
  const repair: (() => Promise<unknown>)[] = [
    () => valkey.zrem(task.key("due"), "bad id"),
    () => valkey.zrem(task.key("index"), "other id"),
    () =>
      valkey
        .pipeline()
        .del(task.key("id:s0"))
        .zrem(task.key("due"), "s0")
        .zrem(task.key("index"), "s0")
        .exec(),
  ];
  for (const time of [1, 2]) {
    for (const one of put) await one();
    await expect
      .poll(() => sweeping.stuck.map(({ id }) => id).sort())
      .toEqual(
        Array.from({ length: time }, () => ["bad id", "other id", "s0"])
          .flat()
          .sort(),
      );
    for (const one of repair) await one();
    await expect
      .poll(() => sweeping.lines.filter((line) => line.includes("no longer stuck")).length)
      .toBe(3 * time);
  }
  expect(await sweeping.stop()).toMatchObject({ stuck: 0 });
});

/** Damage of a machine in one of its partitions, and the reported problem. */
const broken: [title: string, doBreak: (task: Task) => Promise<unknown>, why: RegExp][] = [
  ["is gone", async ({ key }) => (await admin()).del(key("machine")), /not installed in partition 0.*apply/],
  [
    "is of another type",
    async ({ key }) => (await admin()).multi().del(key("machine")).set(key("machine"), "junk").exec(),
    /key of partition 0 is damaged \(WRONGTYPE\).*latchkey fsck/,
  ],
  [
    "cannot be read",
    async ({ key }) => (await admin()).hset(key("machine"), "definition", "{"),
    /definition cannot be read; apply/,
  ],
  [
    "has a due set of another type",
    async ({ key }) => (await admin()).multi().del(key("due")).set(key("due"), "junk").exec(),
    /key of partition 0 is damaged \(WRONGTYPE\).*latchkey fsck/,
  ],
  [
    "has an index of another type",
    async ({ key }) => (await admin()).multi().del(key("index")).set(key("index"), "junk").exec(),
    /key of partition 0 is damaged \(WRONGTYPE\).*latchkey fsck/,
  ],
  [
    "has a log of another type",
    async ({ key }) => (await admin()).multi().del(key("events")).set(key("events"), "junk").exec(),
    /key of partition 0 is damaged \(WRONGTYPE\).*latchkey fsck/,
  ],
];

describe.each(broken)("a machine that %s in one partition", (title, doBreak, why) => {
  it("is reported once, and delays neither its other partitions nor another machine", async () => {
    const task = await tasks(2);
    const other = await tasks(2, "other", task.home);
    const [here] = idsOf(0, 2, 1);
    const [there = "", lacking = "", later = ""] = idsOf(1, 2, 3);
    await task.overdue(here ?? "", there);
    await other.overdue("o1");
    await task.entities.create(lacking);
    await (await admin()).zrem(task.key("due", 1), lacking);
    await doBreak(task);
    const sweeping = await start(task);
    const first = title === "cannot be read" ? [here, "o1", there] : ["o1", there];
    await expect.poll(() => sweeping.fired.toSorted()).toEqual(first.toSorted());
    await expect.poll(() => sweeping.stuck).toMatchObject([{ machine: "task", id: "", why }]);
    await expect.poll(async () => (await admin()).zscore(task.key("due", 1), lacking)).not.toBeNull();
    if (title !== "cannot be read")
      await other.overdue("o2"); // the sweep continues
    else await task.overdue(later);
    await expect.poll(() => sweeping.fired.length).toBe(first.length + 1);
    expect(await sweeping.stop()).toMatchObject({ given: 1, stuck: 1 });
    expect(sweeping.stuck).toHaveLength(1);
    expect(sweeping.away).toEqual([]);
    const once = await task.home.sweep({ once: true });
    expect(once).toMatchObject({ stuck: 1 });
  });
});

it("fires when a missing machine is applied again, and reports it if it is missing again", async () => {
  const task = await tasks();
  const ids = ["t1", "t2"];
  for (const id of ids) await task.entities.create(id);
  const sweeping = await start(task);
  for (const [at, id] of ids.entries()) {
    await (await admin()).del(task.key("machine"));
    await expect.poll(() => sweeping.stuck.length).toBe(at + 1);
    await runOut(task.home, task.entities, id);
    await tasks(1, "task", task.home);
    await expect.poll(() => sweeping.fired).toEqual(ids.slice(0, at + 1));
    await expect
      .poll(() => sweeping.lines.filter((line) => line.includes("no longer stuck")).length)
      .toBe(at + 1);
  }
  expect(await sweeping.stop()).toMatchObject({ expired: 2, stuck: 0 });
});

it("reports a machine that is missing from the start, and an invalid name of a machine", async () => {
  const task = await tasks();
  const other = await tasks(1, "other", task.home);
  await task.overdue("t1");
  await other.overdue("o1");
  const valkey = await admin();
  await valkey.del(task.key("machine"));
  await valkey.hset(`{${task.home.namespace}:0}:machines`, "No Machine", "1");
  const stuck: Stuck[] = [];
  const report = await task.home.sweep({ once: true, onStuck: (one) => void stuck.push(one) });
  expect(report).toMatchObject({ expired: 1, stuck: 2 });
  expect(stuck.map(({ machine, id }) => [machine, id]).sort()).toEqual([
    ["No Machine", ""],
    ["task", ""],
  ]);
  expect(stuck.find(({ machine }) => machine === "No Machine")?.why).toMatch(/not installed/);
});

it("continues if its only machine is missing: it reports that, and fires when the machine is back", async () => {
  const task = await tasks(1, "task", await client({ reinstall: false }));
  await task.overdue("t1");
  await (await admin()).del(task.key("machine"));
  const end = new AbortController();
  onTestFinished(() => end.abort());
  const [stuck, fired]: [Stuck[], string[]] = [[], []];
  const report = task.entities.sweep({
    ...{ signal: end.signal, interval: 1 },
    onStuck: (one) => void stuck.push(one),
    onChange: ({ id }) => void fired.push(id),
  });
  await expect.poll(() => stuck).toMatchObject([{ machine: "task", id: "", why: /apply/ }]);
  await rejectionOf(ContractError, task.entities.sweep({ once: true }));
  await tasks(1, "task", task.home);
  await expect.poll(() => fired).toEqual(["t1"]);
  end.abort();
  expect(await report).toMatchObject({ expired: 1 });
});

it("fires the timer of an entity whose fields are not JSON, and logs that the change cannot be read", async () => {
  const task = await tasks();
  await task.overdue("t1", "t2");
  await (await admin()).hset(task.key("id:t1"), "note", "{{{");
  const sweeping = await start(task);
  await expect.poll(() => sweeping.fired).toEqual(["t2"]);
  await expect.poll(() => sweeping.lines.some((line) => /"t1".*cannot be read/.test(line))).toBe(true);
  expect(await sweeping.stop()).toMatchObject({ expired: 2, stuck: 0 });
});
