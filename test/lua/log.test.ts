import { expect, it } from "vitest";
import { type Calls, machine, op } from "../helpers/calls.js";
import { parcel } from "../helpers/parcel.js";

const last = async (calls: Calls) => (await calls.log("p1")).at(-2);

it("keeps of a change its position, what it did, who made it and why, and its idempotency key apart", async () => {
  const calls = await machine(parcel);
  const [, , created] = await calls.run("create", "p1", "SET", "n", "1.0", "SET", "m", "[]");
  const { createdAt } = JSON.parse(String((await calls.events())[0]));
  const first = `{"position":"${created}","type":"parcel.made","from":null,"state":"packed","version":1,`;
  expect(await calls.log("p1")).toEqual([`${first}"timestamp":"${createdAt}","set":{"n":1.0,"m":[]}}`, ""]);

  const moved = [
    "SET",
    "k",
    "1",
    "UNSET",
    "m",
    "UNSET",
    "x",
    "ACTOR",
    "ann",
    "REASON",
    'a "b"',
    "FORCE",
    ...op("o1"),
  ];
  const [, document, position] = await calls.run("transition", "p1", "sent", ...moved);
  const { timestamp } = JSON.parse(String(document));
  expect((await calls.log("p1")).slice(2)).toEqual([
    `{"position":"${position}","type":"parcel.sent","from":"packed","state":"sent","version":2,` +
      `"timestamp":"${timestamp}","actor":"ann","reason":"a \\"b\\"","forced":true,` +
      `"set":{"k":1,"sentAt":"${timestamp}"},"unset":["m","x"]}`,
    "o1",
  ]);
});

it("keeps of a change without fields neither set nor unset", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  expect(Object.keys((await calls.changes("p1"))[0] ?? {})).toEqual(
    "position type from state version timestamp op".split(" "),
  );
});

it("keeps the values that a change set if the record has at most 1 KiB, else their names", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  const kept: [kind: string, bytes: number][] = [];
  for (let length = 600; length < 1100; length++) {
    await calls.ok("patch", "p1", "SET", "text", JSON.stringify("x".repeat(length)));
    const record = String(await last(calls));
    kept.push([Array.isArray(JSON.parse(record).set) ? "name" : "value", record.length]);
  }
  const values = kept.filter(([kind]) => kind === "value").map(([, bytes]) => bytes);
  expect(kept.map(([kind]) => kind)).toEqual(
    [...kept].map((_, at) => (at < values.length ? "value" : "name")),
  );
  expect(Math.max(...values)).toBeLessThanOrEqual(1024);
  expect(Math.max(...values)).toBeGreaterThan(960);
});

it("keeps a record of the same size, however large the entity is", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", "SET", "n", "0");
  await calls.ok("patch", "p1", "SET", "n", "1");
  const small = String(await last(calls));
  const large = Array.from({ length: 60 }, (_, n) => [
    "SET",
    `f${n}`,
    JSON.stringify("x".repeat(4000)),
  ]).flat();
  await calls.ok("patch", "p1", ...large);
  expect(String(await last(calls)).length).toBeLessThanOrEqual(1024);
  await calls.ok("patch", "p1", "SET", "n", "1");
  expect(String(await last(calls)).length).toBe(small.length);
});

it("keeps a record of at most 1 KiB and the names, whatever is set with however long a reason", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  const names = Array.from({ length: 64 }, (_, n) => `f${n}`.padEnd(64, "y"));
  const set = names.flatMap((name) => ["SET", name, JSON.stringify("x".repeat(3000))]);
  await calls.ok("patch", "p1", ...set, "REASON", "r".repeat(1024), "ACTOR", "a".repeat(128));
  const record = String(await last(calls));
  expect(JSON.parse(record).set).toEqual(names);
  expect(record.length).toBeLessThanOrEqual(1024 + 1024 + 128 + 64 * 67);
});

it("begins anew with the next life of an id", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  await calls.ok("remove", "p1");
  expect(await calls.log("p1")).toEqual([]);
  const [, , position] = await calls.run("create", "p1");
  expect(await calls.changes("p1")).toMatchObject([{ version: 1, position }]);
});

it("records what a timer set, and why it fired", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  await calls.ok("transition", "p1", "sent");
  await calls.valkey.hset(calls.key("id:p1"), "times:ms", "1000 1000 0");
  const [, document, position] = await calls.run("expire", "p1");
  const { reason, timestamp } = JSON.parse(String(document));
  expect((await calls.changes("p1")).at(-1)).toEqual({
    ...{ position, version: 3, type: "parcel.lost", from: "sent", state: "lost", timestamp },
    ...{ actor: "latchkey", reason, set: { error: "late" }, op: "" },
  });
});
