import { expect, it } from "vitest";
import { Random } from "../../faults/random.js";
import { enteredAt } from "../helpers/age.js";
import { admin } from "../helpers/calls.js";
import { all, client } from "../helpers/client.js";
import { type DialState, dial } from "../helpers/dial.js";

const HOUR = 3_600_000;

async function dials() {
  const home = await client();
  const list = await home.machine(dial);
  return { home, list, index: `{${home.namespace}:0}:dial:index` };
}

it("lists, pages and counts entities that are dated ahead, as after a step back of the clock", async () => {
  const { home, list } = await dials();
  const { nowMs } = await home.serverTime();
  const ids = ["x1", "x2", "x3"];
  for (const [at, id] of ids.entries()) {
    await list.create(id);
    await enteredAt(home, list, id, nowMs + (at + 1) * HOUR);
  }
  for (const options of [{}, { state: "a" as const }]) {
    expect((await all(list.list(options))).map(({ id }) => id)).toEqual(ids);
    expect((await list.listPage(options)).items.map(({ id }) => id)).toEqual(ids);
  }
  expect((await all(list.list({ olderThan: "1s" }))).map(({ id }) => id)).toEqual([]);
  expect(await list.count()).toMatchObject({ a: 3 });
});

it("lists each entity once, whose time of entry moves back and forth while the list is read", async () => {
  const { home, list } = await dials();
  const ids = Array.from({ length: 250 }, (_, n) => `x${n}`).sort();
  await Promise.all(ids.map((id) => list.create(id)));
  const { nowMs } = await home.serverTime();
  const met: string[] = [];
  for await (const { id } of list.list({ state: "a" })) {
    met.push(id);
    const others = [ids[(met.length * 7) % 250], ids[(met.length * 11) % 250]];
    for (const [at, other] of others.entries())
      await enteredAt(home, list, other ?? "", nowMs + (at === 0 ? -1 : 1) * met.length);
  }
  expect(met.sort()).toEqual(ids);
});

it("lists each entity of a large index once, while entities move between states and times", async () => {
  const { home, list, index } = await dials();
  const ids = Array.from({ length: 200 }, (_, n) => `x${n}`).sort();
  await Promise.all(ids.map((id) => list.create(id)));
  const { nowMs } = await home.serverTime();
  const valkey = await admin();
  // Entries without an entity are not listed, but a walk through the index has to pass them.
  const fillers = Array.from({ length: 12_000 }, (_, n) => [nowMs - 6000 + n, `filler${n}`]);
  await valkey.zadd(index, ...fillers.flat());
  const random = new Random(9);
  let isDone = false;
  const move = async (): Promise<void> => {
    while (!isDone) {
      const id = random.of(ids);
      const ordinal = random.below(3);
      const since = nowMs - 6000 + random.below(12_000);
      await valkey
        .multi()
        .zadd(index, ordinal * 10 ** 13 + since, id)
        .hset(`{${home.namespace}:0}:dial:id:${id}`, "state", random.of<DialState>(["a", "b", "c"]))
        .exec();
    }
  };
  const moving = Promise.all([move(), move(), move(), move()]);
  const met = await all(list.list()).finally(() => {
    isDone = true;
  });
  await moving;
  expect(met.map(({ id }) => id).sort()).toEqual(ids);
});

it("ignores tombstones of removed ids", async () => {
  const { list, index } = await dials();
  for (const id of ["x1", "x2"]) await list.create(id);
  await (await admin()).zadd(index, -1024, "removed1", -(2 ** 50), "removed2");
  expect((await all(list.list())).map(({ id }) => id)).toEqual(["x1", "x2"]);
  expect(await list.listPage()).toMatchObject({ items: [{ id: "x1" }, { id: "x2" }] });
  expect(await list.count()).toEqual({ a: 2, b: 0, c: 0 });
});
