import { expect, it } from "vitest";
import { type Calls, machine, op } from "../helpers/calls.js";
import { unchanged } from "../helpers/keyspace.js";
import { parcel } from "../helpers/parcel.js";

const KEPT = 100_000;
const BASE = 1_000_000_000_000; // the time of the oldest planted tombstone, in ms

/** Returns the score of a position in the index. */
function scoreOf(position: string | null): string {
  const [ms = 0, sequence = 0] = String(position).split("-").map(Number);
  return String(-(ms * 1024 + sequence));
}

/** Plants tombstones of ids that were removed 1 ms after each other from BASE on. */
async function planted(count: number): Promise<Calls> {
  const calls = await machine(parcel);
  for (let from = 0; from < count; from += 10_000) {
    const size = Math.min(10_000, count - from);
    const pairs = Array.from({ length: size }, (_, n) => [scoreOf(`${BASE + from + n}-0`), `old${from + n}`]);
    await calls.valkey.zadd(calls.key("index"), ...pairs.flat());
  }
  return calls;
}

const tombstones = (calls: Calls) => calls.valkey.zcount(calls.key("index"), "-inf", "(0");
const floor = (calls: Calls) => calls.valkey.hget(calls.key("machine"), "floor");

/** Creates and removes an entity, and returns the position of the removal. */
async function removed(calls: Calls, id: string): Promise<string> {
  await calls.ok("create", id);
  return String((await calls.run("remove", id))[2]);
}

it("keeps the exact position of a removal as the id's score in the index, and nothing else of the entity", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", "SET", "n", "1");
  await calls.ok("transition", "p1", "sent");
  const [, , position] = await calls.run("remove", "p1");
  expect(position).toBe(await calls.end());
  expect(await calls.score("index", "p1")).toBe(scoreOf(position));
  expect(await calls.score("due", "p1")).toBeNull();
  expect(await calls.valkey.exists(calls.key("id:p1"), calls.key("log:p1"))).toBe(0);
  expect(await calls.valkey.zcount(calls.key("index"), 0, "+inf")).toBe(0);
});

it.each(["0", "1", "1022"])("keeps the sequence number after %s of a position exactly", async (sequence) => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  const ahead = Date.now() + 3_600_000;
  await calls.valkey.xadd(calls.key("events"), `${ahead}-${sequence}`, "doc", "{}");
  const [, , position] = await calls.run("remove", "p1");
  expect(position).toBe(`${ahead}-${Number(sequence) + 1}`);
  expect(await calls.score("index", "p1")).toBe(scoreOf(position));
  expect(await calls.end()).toBe(position);
});

it.each(["1023", "2000"])(
  "moves the log's end to the next millisecond for a removal after sequence number %s",
  async (sequence) => {
    const calls = await machine(parcel);
    await calls.ok("create", "p1");
    const ahead = Date.now() + 3_600_000;
    await calls.valkey.xadd(calls.key("events"), `${ahead}-${sequence}`, "doc", "{}");
    const [outcome, document, position] = await calls.run("remove", "p1");
    expect([outcome, position, await calls.end()]).toEqual(["OK", `${ahead + 1}-0`, `${ahead + 1}-0`]);
    expect((await calls.events()).at(-1)).toBe(document);
    expect(await calls.score("index", "p1")).toBe(scoreOf(position));
    const [, , next] = await calls.run("create", "p1", ...op("o1", String(position)));
    expect(next).toBe(`${ahead + 1}-1`);
  },
);

it("moves the log's end likewise at the end of a retention", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", "SET", "signature", "1");
  await calls.ok("transition", "p1", "delivered", "FORCE", "REASON", "to be there");
  await calls.valkey.hset(calls.key("id:p1"), "times:ms", "1000 1000 0");
  const ahead = Date.now() + 3_600_000;
  await calls.valkey.xadd(calls.key("events"), `${ahead}-1023`, "doc", "{}");
  expect((await calls.run("expire", "p1"))[2]).toBe(`${ahead + 1}-0`);
  expect(await calls.score("index", "p1")).toBe(scoreOf(`${ahead + 1}-0`));
  const retry = await unchanged(calls, () => calls.run("create", "p1", ...op("o1", `${ahead}-1023`)));
  expect(retry).toEqual(["FORGOTTEN", null, `${ahead + 1}-0`]);
});

it("takes the tombstone of an id away when the id is created or restored", async () => {
  const calls = await machine(parcel);
  for (const id of ["p1", "p2"]) {
    const position = await removed(calls, id);
    if (id === "p1") await calls.ok("create", id);
    else await calls.ok("restore", id, "packed", "1", "0", "1000000000000", ...op("o1", position));
    expect(Number(await calls.score("index", id))).toBeGreaterThanOrEqual(0);
  }
  expect(await tombstones(calls)).toBe(0);
});

it("replaces the tombstone of an id by that of its next removal", async () => {
  const calls = await machine(parcel);
  await removed(calls, "p1");
  const second = await removed(calls, "p1");
  expect(await calls.score("index", "p1")).toBe(scoreOf(second));
  expect(await tombstones(calls)).toBe(1);
});

it("keeps 100,000 tombstones, and sets no floor before one is trimmed", async () => {
  const calls = await planted(KEPT - 1);
  await removed(calls, "p1");
  expect([await tombstones(calls), await floor(calls)]).toEqual([KEPT, null]);
  expect(await calls.score("index", "old0")).not.toBeNull();
});

it("trims the oldest tombstone and keeps its position as floor, by which unknown ids are judged", async () => {
  const calls = await planted(KEPT);
  await calls.ok("create", "living");
  await removed(calls, "p1");
  expect([await tombstones(calls), await floor(calls)]).toEqual([KEPT, `${BASE}-0`]);
  expect(await calls.score("index", "old0")).toBeNull();
  expect(await calls.score("index", "old1")).not.toBeNull();
  expect(await calls.valkey.zcount(calls.key("index"), 0, "+inf")).toBe(1);

  const create = (id: string, seen: string) => calls.run("create", id, ...op("o1", seen));
  const end = await calls.end();
  const early = await unchanged(calls, () => create("old0", `${BASE - 1}-5`));
  expect(early).toEqual(["FORGOTTEN", null, end]);
  expect(await unchanged(calls, () => create("never", "0-0"))).toEqual(["FORGOTTEN", null, end]);
  expect(await unchanged(calls, () => create("old1", `${BASE}-0`))).toEqual(["FORGOTTEN", null, end]);
  expect((await create("old0", `${BASE}-0`))[0]).toBe("OK");
  expect((await calls.hash("old0"))["ops:forgot"]).toBe(`${BASE}-0`);
  expect((await create("old1", `${BASE + 1}-0`))[0]).toBe("OK");
  expect((await calls.hash("old1"))["ops:forgot"]).toBe(`${BASE + 1}-0`);
});

it("trims at most 16 tombstones in one removal, and the floor never falls", async () => {
  const calls = await planted(KEPT + 20);
  for (const [left, trimmed] of [
    [KEPT + 5, 15],
    [KEPT, 21],
    [KEPT, 22],
  ] as const) {
    const id = `p${left}-${trimmed}`;
    await removed(calls, id);
    expect([await tombstones(calls), await floor(calls)]).toEqual([left, `${BASE + trimmed}-0`]);
  }
});

it("keeps the floor over a newer version of the machine", async () => {
  const calls = await planted(KEPT);
  await removed(calls, "p1");
  expect((await calls.apply({ ...parcel, version: 2 }))[0]).toBe("OK");
  expect(await floor(calls)).toBe(`${BASE}-0`);
  expect((await calls.run("create", "new", ...op("o1", "0-0")))[0]).toBe("FORGOTTEN");
});
