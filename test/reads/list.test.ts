import { describe, expect, it } from "vitest";
import { ContractError, type Entities, type Latchkey, partitionOf } from "../../src/index.js";
import { enteredAt } from "../helpers/age.js";
import { admin } from "../helpers/calls.js";
import { agents, all, client, entities, rejectionOf } from "../helpers/client.js";
import { type DialState, dial } from "../helpers/dial.js";

const HOUR = 3_600_000;

async function dials(partitions = 1): Promise<{ home: Latchkey; list: Entities<DialState> }> {
  const home = await client();
  await home.init(partitions);
  return { home, list: await home.machine(dial) };
}

function idsOf(items: readonly { id: string }[]): string[] {
  return items.map(({ id }) => id);
}

/** Returns the ids on all pages, and the length of each page. */
async function pages(
  list: Entities<DialState>,
  limit: number,
  options = {},
): Promise<{ ids: string[]; lengths: number[] }> {
  const ids: string[] = [];
  const lengths: number[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await list.listPage({ limit, ...options, ...(cursor !== undefined && { cursor }) });
    ids.push(...idsOf(page.items));
    lengths.push(page.items.length);
    cursor = page.cursor;
    if (cursor === undefined) return { ids, lengths };
  }
}

describe.each([1, 4])("a list over %i partitions", (partitions) => {
  it("is ordered by state, then longest in it first", async () => {
    const { home, list } = await dials(partitions);
    const { nowMs } = await home.serverTime();
    const ages = { x1: 3, x2: 1, x3: 2, y1: 1, y2: 5, z1: 4 };
    for (const [id, hours] of Object.entries(ages)) {
      await list.create(id);
      if (id.startsWith("y")) await list.transition(id, "b");
      if (id.startsWith("z")) await list.transition(id, "c");
      await enteredAt(home, list, id, nowMs - hours * HOUR);
    }
    const inOrder = ["x1", "x3", "x2", "y2", "y1", "z1"];
    expect(idsOf(await all(list.list()))).toEqual(inOrder);
    expect((await pages(list, 2)).ids).toEqual(inOrder);
    expect(idsOf(await all(list.list({ state: "b" })))).toEqual(["y2", "y1"]);
    expect(idsOf(await all(list.list({ state: ["c", "a"] })))).toEqual(["x1", "x3", "x2", "z1"]);
    expect(idsOf(await all(list.list({ olderThan: "150m" })))).toEqual(["x1", "y2", "z1"]);
    expect(idsOf(await all(list.list({ olderThan: 2.5 * HOUR, state: "b" })))).toEqual(["y2"]);
    expect(idsOf(await all(list.list({ olderThan: "6h" })))).toEqual([]);
    expect((await list.listPage({ olderThan: "150m", limit: 2 })).items).toHaveLength(2);
  });

  it("returns whole snapshots, as `get` does", async () => {
    const { list } = await dials(partitions);
    await list.create("x1", { n: 1, text: "ü", none: null, list: [] });
    await list.transition("x1", "b", { set: { deep: { a: [{}] } } });
    expect(await all(list.list())).toEqual([await list.get("x1")]);
  });

  it("can be paged if hundreds of entities entered a state in the same millisecond", async () => {
    const { home, list } = await dials(partitions);
    const ids = Array.from({ length: 300 }, (_, n) => `x${n}`).sort();
    await Promise.all(ids.map((id) => list.create(id)));
    const { nowMs } = await home.serverTime();
    await Promise.all(ids.map((id) => enteredAt(home, list, id, nowMs - HOUR)));
    for (const limit of [7, 100, 299, 300, 301, 1000]) {
      const read = await pages(list, limit);
      expect(read.ids).toEqual(ids);
      expect(Math.max(...read.lengths)).toBe(Math.min(limit, 300));
    }
    expect(idsOf(await all(list.list()))).toEqual(ids);
  });

  it("omits entities that were removed meanwhile, and no others", async () => {
    const { list } = await dials(partitions);
    const ids = Array.from({ length: 250 }, (_, n) => `x${n}`);
    await Promise.all(ids.map((id) => list.create(id)));
    const met: string[] = [];
    for await (const { id } of list.list()) {
      met.push(id);
      if (met.length % 100 !== 50) continue;
      const doomed = ids.filter((other) => !met.includes(other)).slice(0, 40);
      await Promise.all([...doomed, ...met.slice(-20)].map((other) => list.tryRemove(other)));
    }
    const left = idsOf(await all(list.list()));
    expect(new Set(met).size).toBe(met.length);
    for (const id of left) expect(met).toContain(id);
    expect(left.length).toBeGreaterThan(50);
  });
});

it("omits index entries that are not valid ids", async () => {
  const { home, list } = await dials();
  for (const id of ["a1", "a2"]) await list.create(id);
  const index = `{${home.namespace}:0}:dial:index`;
  const score = Number(await (await admin()).zscore(index, "a1"));
  await (await admin()).zadd(index, score - 1, "no id", score + HOUR, "neither, this");
  expect(idsOf(await all(list.list()))).toEqual(["a1", "a2"]);
  expect(await pages(list, 1)).toMatchObject({ ids: ["a1", "a2"] });
  expect(await all(list.list({ stuck: true }))).toEqual([]);
});

it("pages are in order and complete, also if most entities are in one of many partitions", async () => {
  const { list } = await dials(32);
  const numbers = Array.from({ length: 600 }, (_, number) => `x${number}`);
  const crowded = numbers.filter((id) => partitionOf(id, 32) === 5);
  const others = numbers.filter((id) => partitionOf(id, 32) !== 5).slice(0, 15);
  const ids = crowded.flatMap((id, at) => (others[at] === undefined ? [id] : [others[at], id]));
  for (const id of ids) await list.create(id);
  const expected = idsOf(await all(list.list()));
  expect([...expected].sort()).toEqual([...ids].sort());
  for (const limit of [1, 4, 9, 1000]) expect((await pages(list, limit)).ids).toEqual(expected);
});

it("stores each entity in the partition that its id determines", async () => {
  const { home, list } = await dials(4);
  const ids = Array.from({ length: 40 }, (_, n) => `x${n}`);
  await Promise.all(ids.map((id) => list.create(id)));
  for (let partition = 0; partition < 4; partition++) {
    const members = await (await admin()).zrange(`{${home.namespace}:${partition}}:dial:index`, 0, -1);
    expect(members.sort()).toEqual(ids.filter((id) => partitionOf(id, 4) === partition).sort());
    expect(members.length).toBeGreaterThan(0);
  }
});

it("counts by state over all partitions, including empty states", async () => {
  const { list } = await dials(4);
  expect(await list.count()).toEqual({ a: 0, b: 0, c: 0 });
  for (let n = 0; n < 20; n++) await list.create(`x${n}`);
  for (let n = 0; n < 7; n++) await list.transition(`x${n}`, "c");
  await list.remove("x0");
  expect(await list.count()).toEqual({ a: 13, b: 0, c: 6 });
});

it("is empty, without a cursor, if there are no entities", async () => {
  const ours = await agents();
  expect(await all(ours.list())).toEqual([]);
  expect(await ours.listPage()).toEqual({ items: [] });
  expect(await ours.count()).toEqual({ spawning: 0, running: 0, failed: 0, killed: 0, completed: 0 });
});

it("reads a page of 100 with one request per entity, sent together", async () => {
  const { list } = await dials();
  for (let made = 0; made < 100; made += 1) await list.create(`x${made}`);
  const server = await admin();
  const readsOfServer = async () =>
    Number(/total_reads_processed:(\d+)/.exec(await server.info("stats"))?.[1]);
  await server.config("RESETSTAT");
  const before = await readsOfServer();
  expect((await list.listPage({ limit: 100 })).items).toHaveLength(100);
  // Sent one by one, they would be a hundred reads.
  expect((await readsOfServer()) - before).toBeLessThan(20);
  expect(await server.info("commandstats")).toContain("cmdstat_hgetall:calls=100,");
});

it("reports a machine that is no longer installed, as after a loss of data", async () => {
  const home = await client({ reinstall: false });
  const list = await home.machine(dial);
  await list.create("x1");
  await (await admin()).del(`{${home.namespace}:0}:dial:machine`);
  for (const call of [
    () => all(list.list()),
    () => all(list.list({ state: "a" })),
    () => list.listPage({ limit: 1 }),
    () => list.count(),
  ]) {
    const error = await rejectionOf(ContractError, call());
    expect(error.code).toBe("NOMACHINE");
    expect(error.message).toMatch(/^(list|count) dial: the machine is not installed .* apply it first$/);
  }
});

it("rejects an invalid limit, state or age, with the accepted values", async () => {
  const list = await entities(dial);
  for (const limit of [0, -1, 1.5, 1001, Number.NaN]) {
    const error = await rejectionOf(ContractError, list.listPage({ limit }));
    expect(error.message).toBe(`limit must be a whole number from 1 to 1000, not ${limit}`);
  }
  const error = await rejectionOf(ContractError, all(list.list({ state: "d" as DialState })));
  expect(error.message).toBe('unknown state "d"; did you mean "a"?');
  await rejectionOf(ContractError, all(list.list({ olderThan: "soon" as "1s" })));
});
