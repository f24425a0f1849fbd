import { expect, it } from "vitest";
import { type Calls, machine } from "../helpers/calls.js";
import { parcel } from "../helpers/parcel.js";

const FUTURE = 4102444800000; // 2100: the entity's clock starts there, so a test knows the time of every change

/** Makes an entity with a number of changes, one after the other, key number n at FUTURE + n. */
async function withOps(count: number): Promise<Calls> {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  for (let n = 1; n <= count; n++) {
    await calls.valkey.hset(calls.key("id:p1"), "at", String(FUTURE + n));
    await calls.ok("patch", "p1", "SET", "n", String(n), "OP", `o${n}`);
  }
  return calls;
}

const retry = (calls: Calls, op: string, sent: number) =>
  calls.run("patch", "p1", "SET", "again", "1", "OP", op, "SENT", String(sent));

it("remembers the last five ops", async () => {
  const calls = await withOps(5);
  for (let n = 1; n <= 5; n++) expect((await retry(calls, `o${n}`, FUTURE + n))[0]).toBe("REPLAYED");
  await calls.ok("patch", "p1", "SET", "n", "6", "OP", "o6");
  for (let n = 2; n <= 6; n++) expect((await retry(calls, `o${n}`, FUTURE + n))[0]).toBe("REPLAYED");
});

it("keeps all keys over changes without a key", async () => {
  const calls = await withOps(5);
  for (let n = 1; n <= 10; n++) await calls.ok("patch", "p1", "SET", "n", "0");
  expect((await retry(calls, "o1", FUTURE + 1))[0]).toBe("REPLAYED");
});

it("rejects a retry that was sent before a change that is forgotten now, with the entity", async () => {
  const calls = await withOps(12); // o1 to o7 are forgotten, the newest of them done at FUTURE + 7
  const [outcome, document] = await retry(calls, "o7", FUTURE + 7);
  expect(outcome).toBe("FORGOTTEN");
  expect(JSON.parse(String(document))).toMatchObject({ state: "packed", version: 13, n: 12 });
  expect((await retry(calls, "unheard-of", FUTURE + 3))[0]).toBe("FORGOTTEN");
});

it("applies a retry if every key since it was sent is remembered, and its own is not among them", async () => {
  const calls = await withOps(12);
  expect((await retry(calls, "new", FUTURE + 8))[0]).toBe("OK");
});

it("rejects a retry that was sent later than the clock shows, if anything is forgotten: the clock was set back", async () => {
  const calls = await withOps(6);
  expect((await retry(calls, "new", FUTURE + 60_000))[0]).toBe("FORGOTTEN");
  const fresh = await withOps(5);
  expect((await retry(fresh, "new", FUTURE + 60_000))[0]).toBe("OK");
});

it("rejects a retry of create that was sent later than the clock shows, if anything was removed", async () => {
  const calls = await machine(parcel);
  const create = (id: string) => calls.run("create", id, "OP", "o1", "SENT", String(FUTURE));
  expect((await create("p1"))[0]).toBe("OK");
  await calls.ok("remove", "p1");
  expect(await create("p1")).toEqual(["FORGOTTEN", null]);
});

it("lets no life of an id begin before the end of an earlier one, where the clock was set back, so that retries are judged", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  await calls.valkey.hset(calls.key("id:p1"), "at", String(FUTURE)); // changed by a clock that is ahead
  const sent = FUTURE - 5;
  await calls.ok("transition", "p1", "sent", "OP", "o1");
  await calls.ok("remove", "p1");
  expect(await calls.ok("create", "p1")).toMatchObject({ createdAt: new Date(FUTURE).toISOString() });
  const again = await calls.run("transition", "p1", "sent", "OP", "o1", "SENT", String(sent));
  expect(again[0]).toBe("FORGOTTEN");
});

it("judges NOTAFTER of a create by the clock, not by what was removed when it was ahead", async () => {
  const calls = await machine(parcel);
  await calls.valkey.hset(calls.key("machine"), "removed", String(FUTURE));
  const [outcome] = await calls.run("create", "p1", "NOTAFTER", String(FUTURE - 1));
  expect(outcome).toBe("OK");
});

it("does what a first attempt asks, however much is forgotten", async () => {
  const calls = await withOps(12);
  await calls.ok("patch", "p1", "SET", "n", "13", "OP", "new");
});

it.each([
  ["create", []],
  ["transition", ["sent"]],
  ["patch", ["SET", "n", "1"]],
  ["remove", []],
] as const)("rejects a retry of %s that it cannot judge", async (operation, args) => {
  const calls = await withOps(6);
  const [outcome, document] = await calls.run(
    operation,
    "p1",
    ...args,
    "OP",
    "o0",
    "SENT",
    String(FUTURE + 1),
  );
  expect(outcome).toBe("FORGOTTEN");
  expect(JSON.parse(String(document))).toMatchObject({ version: 7, n: 6 });
});

it("starts with nothing forgotten", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", "OP", "o1");
  expect(await calls.ok("patch", "p1", "SET", "n", "1", "OP", "o2", "SENT", "1")).toMatchObject({
    version: 2,
  });
});

it("takes a retry sent at 0 as sent before everything: applied if nothing is forgotten, otherwise rejected", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", "SENT", "0");
  await calls.ok("patch", "p1", "SET", "n", "1", "OP", "o1", "SENT", "0");
  for (let n = 2; n <= 6; n++) await calls.ok("patch", "p1", "SET", "n", "1", "OP", `o${n}`);
  expect((await retry(calls, "new", 0))[0]).toBe("FORGOTTEN");
});

/** Creates and removes p1; the time of the removal in ms. */
async function removed(calls: Calls): Promise<number> {
  await calls.ok("create", "p1", "OP", "o1");
  return Date.parse((await calls.ok("remove", "p1")).timestamp);
}

it("does not create anew on a retry whose first attempt may have created what was removed since", async () => {
  const calls = await machine(parcel);
  const at = await removed(calls);
  expect(await calls.run("create", "p1", "OP", "o1", "SENT", String(at))).toEqual(["FORGOTTEN", null]);
});

it("creates on a retry that was first sent after the last removal, and on a first attempt", async () => {
  const calls = await machine(parcel);
  const at = (await removed(calls)) - 1000;
  await calls.valkey.hset(calls.key("machine"), "removed", String(at)); // so that at + 1 has passed already
  await calls.ok("create", "p1", "OP", "o2", "SENT", String(at + 1));
  await calls.ok("remove", "p1");
  await calls.ok("create", "p1", "OP", "o3");
});

it("rejects a retry that may have been applied to an earlier life of the id", async () => {
  const calls = await machine(parcel);
  const at = await removed(calls);
  await calls.ok("create", "p1");
  for (const [operation, ...args] of [
    ["create"],
    ["transition", "sent"],
    ["patch", "SET", "n", "1"],
    ["remove"],
  ] as const) {
    const [outcome, document] = await calls.run(operation, "p1", ...args, "OP", "late", "SENT", String(at));
    expect([operation, outcome]).toEqual([operation, "FORGOTTEN"]);
    expect(JSON.parse(String(document))).toMatchObject({ version: 1 });
  }
});

it("does what a retry asks that was first sent after this life of the id began", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p2");
  await calls.ok("create", "p1");
  await calls.valkey.hset(calls.key("id:p2"), "at", String(FUTURE));
  await calls.ok("remove", "p2"); // another entity, removed after all of the below
  const created = Date.parse(String((await calls.ok("patch", "p1", "SET", "n", "1")).createdAt));
  // Else the clock may still show the millisecond in which p1 was created.
  await calls.valkey.hset(calls.key("id:p1"), "at", String(created + 1));
  expect((await retry(calls, "o1", created))[0]).toBe("FORGOTTEN");
  expect((await retry(calls, "o1", created + 1))[0]).toBe("OK");
});

it("remembers removals across versions of the machine", async () => {
  const calls = await machine(parcel);
  const at = await removed(calls);
  await calls.apply({ ...parcel, version: 2 });
  expect((await calls.run("create", "p1", "OP", "o1", "SENT", String(at)))[0]).toBe("FORGOTTEN");
});

it("remembers the latest removal even when a later one is stamped earlier, as after a failover to a slow clock", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", "OP", "o1");
  await calls.valkey.hset(calls.key("id:p1"), "at", String(FUTURE));
  await calls.ok("remove", "p1");
  await calls.ok("create", "p2");
  await calls.ok("remove", "p2");
  expect((await calls.run("create", "p1", "OP", "o1", "SENT", String(FUTURE)))[0]).toBe("FORGOTTEN");
});
