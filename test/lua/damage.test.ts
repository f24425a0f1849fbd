import { expect, it } from "vitest";
import type { Operation } from "../../src/lua/index.js";
import { type Argument, type Calls, machine, op } from "../helpers/calls.js";
import { unchanged } from "../helpers/keyspace.js";
import { parcel } from "../helpers/parcel.js";

const WIDE = JSON.stringify("x".repeat(70)); // makes the server keep the hash without an order

const NUMBERS = ["", "nan", "abc", "-1", "1.5", "1e3", "0x10", " 1", "1 ", "9".repeat(14), "9".repeat(20)];
const damage: Record<string, readonly string[]> = {
  version: [...NUMBERS, "0", "01"],
  "times:ms": [
    ...[
      "",
      "1",
      "1 1",
      "1 1 1 1",
      "1  1 1",
      " 1 1 1",
      "1 1 1 ",
      "1 1 -1",
      "1 1.5 1",
      "nan 1 1",
      "1 0x1 1",
      "1 1 1e3",
    ],
    ...["9".repeat(14), `1 ${"9".repeat(14)} 1`, `1 1 ${"9".repeat(20)}`],
  ],
  state: ["", "Sent", 'se"nt', "se>nt", "-", "sent\n", "sent\0"],
  created: ["", "now", '2026-11-22T10:27:03.197"', "2026-11-22", "20261-11-22T10:27:03.197Z"],
};

/** A call of each operation that would be done, were the entity whole. */
const changes: readonly (readonly [Operation, ...Argument[]])[] = [
  ["create", "p1"],
  ["transition", "p1", "packed", ...op("o9")],
  ["patch", "p1", "SET", "n", "2", ...op("o9")],
  ["heartbeat", "p1"],
  ["expire", "p1"],
  ["remove", "p1"],
  ["restore", "p1", "packed", "1", "0", "1000000000000", ...op("o9")],
  ["get", "p1"],
];
const LAYOUT = "LAYOUT entity or machine was written by another version of latchkey, or is damaged";

async function standing(json: string): Promise<Calls> {
  const location = await machine(parcel);
  await location.ok("create", "p1", "SET", "m", json, ...op("o1"));
  await location.ok("transition", "p1", "sent", ...op("o2"));
  return location;
}

/** Asserts that each of these calls is answered with LAYOUT, and writes nothing. */
async function rejected(location: Calls, calls: typeof changes): Promise<void> {
  await unchanged(location, async () => {
    for (const [operation, id, ...args] of calls) {
      const message = await location.error(operation, location.keys(String(id)), [String(id), ...args]);
      expect([operation, message]).toEqual([operation, LAYOUT]);
    }
  });
}

const cases = Object.entries(damage).flatMap(([field, values]) =>
  values.map((value) => [field, value] as const),
);

it.each(cases)("rejects every call for an entity whose %s was overwritten with %j", async (field, value) => {
  for (const json of ["1", WIDE]) {
    const location = await standing(json);
    await location.valkey.hset(location.key("id:p1"), field, value);
    await rejected(location, changes);
  }
});

it.each(Object.keys(damage))("rejects an entity without %s", async (field) => {
  const location = await standing("1");
  await location.valkey.hdel(location.key("id:p1"), field);
  await rejected(location, changes);
});

it("rejects calls with a key for an entity that lacks `ops:forgot`, and accepts those without one", async () => {
  const location = await standing("1");
  await location.valkey.hdel(location.key("id:p1"), "ops:forgot");
  await rejected(location, [["patch", "p1", "SET", "n", "2", ...op("o9")]]);
  expect(await location.ok("patch", "p1", "SET", "n", "2")).toMatchObject({ version: 3, m: 1, n: 2 });
});

it.each(["", "yesterday", "1", "1-", "-1", "1-1-1", "nan-0"])(
  "rejects calls with a key for an entity that has forgotten up to %j",
  async (position) => {
    for (const json of ["1", WIDE]) {
      const location = await standing(json);
      await location.valkey.hset(location.key("id:p1"), "ops:forgot", position);
      await rejected(location, [
        ["transition", "p1", "packed", ...op("o9")],
        ["patch", "p1", "SET", "n", "2", ...op("o9")],
        ["remove", "p1", ...op("o9")],
        ["create", "p1", ...op("o9")],
      ]);
    }
  },
);

it.each([
  "",
  "o1",
  "{}",
  '{"position":"1-0","version":2}',
  '{"position":"1-0","type":"x","from":null,"state":"y","version":x',
])("rejects a retry whose change is recorded as %j", async (record) => {
  const location = await standing("1");
  await location.valkey.lset(location.key("log:p1"), 2, record);
  await rejected(location, [["patch", "p1", "SET", "n", "1", ...op("o2")]]);
});

it("rejects a retry whose key is at the place of a record", async () => {
  const location = await standing("1");
  await location.valkey.lpush(location.key("log:p1"), "o9");
  await rejected(location, [["patch", "p1", "SET", "n", "1", ...op("o9")]]);
});

it("forgets up to the change at hand if the record of a trimmed key has no position", async () => {
  const location = await standing("1");
  await location.valkey.lset(location.key("log:p1"), 2, "damaged");
  for (let n = 0; n < 37; n++) await location.ok("patch", "p1", "SET", "n", n);
  const [, , position] = await location.run("patch", "p1", "SET", "n", "0");
  expect((await location.hash("p1"))["ops:forgot"]).toBe(position);
});

it.each([
  ["ordinal", 1, "nan"],
  ["ordinal", 1, "1000"],
  ["stream length", 2, "nan"],
  ["stream length", 2, "1e3"],
  ["log size", 3, "nan"],
  ["log size", 3, ""],
  ["timer", 4, "soon"],
] as const)("rejects a change by a row of the machine whose %s is damaged", async (_, word, value) => {
  const location = await standing("1");
  const row = String(await location.valkey.hget(location.key("machine"), "sent>sent")).split(" ");
  row[word] = value;
  await location.valkey.hset(location.key("machine"), "sent>sent", row.join(" "));
  await rejected(location, [["transition", "p1", "sent", ...op("o9")]]);
});

it.each([1, 5, 7])(
  "rejects a change by a row of the machine that has only %i of its words",
  async (words) => {
    const location = await standing("1");
    const row = String(await location.valkey.hget(location.key("machine"), "sent>sent")).split("\0");
    await location.valkey.hset(location.key("machine"), "sent>sent", row.slice(0, words).join("\0"));
    await rejected(location, [["transition", "p1", "sent", ...op("o9")]]);
  },
);

it.each(["nan", "3 soon    ", "3 1 1 1 a", "2 3600000   lost ", "3 3600000   lost lost lost"])(
  "rejects timers that depend on a row that is %j",
  async (row) => {
    const location = await standing("1");
    await location.valkey.hset(location.key("machine"), "@sent", row);
    await rejected(location, [
      ["heartbeat", "p1"],
      ["expire", "p1"],
    ]);
  },
);

it.each([
  ["sent>lost", ""],
  ["sent>lost", "3 and something else"],
  ["@sent timeout", ""],
  ["@sent timeout", "{"],
])("fires no timer whose row %s is %j", async (field, value) => {
  const location = await standing("1");
  await location.valkey.hset(location.key("id:p1"), "times:ms", "1000 1000 0");
  await location.valkey.hset(location.key("machine"), field, value);
  await rejected(location, [["expire", "p1"]]);
});

it.each(["nan", "soon", "", "-1", "1e3", "1-1-1"])(
  "rejects calls with a key for an absent entity if the floor is %j",
  async (position) => {
    const location = await standing("1");
    await location.valkey.hset(location.key("machine"), "floor", position);
    await rejected(location, [
      ["create", "p2", ...op("o9")],
      ["patch", "p2", "SET", "n", "1", ...op("o9")],
      ["restore", "p2", "packed", "1", "0", "1000000000000", ...op("o9")],
    ]);
  },
);

it.each([
  ["version", "nan"],
  ["version", "0x1"],
  ["version", "1.5"],
  ["version", "-1"],
  ["version", ""],
  ["states", 'packed se"nt'],
  ["states", "packed sent sent"],
  ["states", ""],
  ["layout", "1"],
  ["layout", "3"],
])("installs nothing over a machine whose %s is %j", async (field, value) => {
  const location = await standing("1");
  await location.valkey.hset(location.key("machine"), field, value);
  const text = JSON.stringify({ ...parcel, version: 2 });
  const apply = () => location.error("apply", location.applyKeys(), [text]);
  expect(await unchanged(location, apply)).toBe(LAYOUT);
});
