import { expect, it } from "vitest";
import type { Operation } from "../../src/lua/index.js";
import { type Argument, type Calls, machine } from "../helpers/calls.js";
import { keyspace } from "../helpers/keyspace.js";
import { parcel } from "../helpers/parcel.js";

const WIDE = JSON.stringify("x".repeat(70)); // makes the server keep the hash without an order

const NUMBERS = ["", "nan", "abc", "-1", "1.5", "1e3", "0x10", " 1", "1 ", "9".repeat(14), "9".repeat(20)];
const damage: Record<string, readonly string[]> = {
  version: [...NUMBERS, "0", "01"],
  at: NUMBERS,
  since: NUMBERS,
  state: ["", "Sent", 'se"nt', "se>nt", "-", "sent\n", "sent\0"],
  created: ["", "now", '2026-11-22T10:27:03.197"', "2026-11-22", "20261-11-22T10:27:03.197Z"],
  ops: ["", "0", "nan", "5 0", "0 nan", "0 -1", "00 0", "0 0 0"],
  "lease:at": NUMBERS.filter((number) => number !== ""),
};

/** A call of each operation that would be done, were the entity whole. */
const changes: readonly (readonly [Operation, ...Argument[]])[] = [
  ["create", "p1"],
  ["transition", "p1", "packed", "OP", "o9"],
  ["patch", "p1", "SET", "n", "2", "OP", "o9", "SENT", "1"],
  ["heartbeat", "p1"],
  ["expire", "p1"],
  ["remove", "p1"],
];

async function standing(json: string): Promise<Calls> {
  const location = await machine(parcel);
  await location.ok("create", "p1", "SET", "m", json, "OP", "o1");
  await location.ok("transition", "p1", "sent", "OP", "o2");
  return location;
}

/** Asserts that each of these calls is answered with LAYOUT, and writes nothing. */
async function refused(location: Calls, calls: typeof changes): Promise<void> {
  const before = await keyspace(location.valkey, location.namespace);
  for (const [operation, id, ...args] of calls) {
    const message = await location.error(operation, location.keys(String(id)), [String(id), ...args]);
    expect([operation, message]).toEqual([operation, "LAYOUT another one than this script knows"]);
  }
  expect(await keyspace(location.valkey, location.namespace)).toEqual(before);
}

const cases = Object.entries(damage).flatMap(([field, values]) =>
  values.map((value) => [field, value] as const),
);

it.each(cases)("rejects every call for an entity whose %s was overwritten with %j", async (field, value) => {
  for (const json of ["1", WIDE]) {
    const location = await standing(json);
    await location.valkey.hset(location.key("id:p1"), field, value);
    await refused(location, changes);
  }
});

it.each(Object.keys(damage))("rejects an entity without %s", async (field) => {
  const location = await standing("1");
  await location.valkey.hdel(location.key("id:p1"), field);
  await refused(location, changes);
});

it.each(["o2 ", "o2 nan 1795343223000", "o2 2", "o2 2 x", "o2 02 1"])(
  "rejects a retry whose idempotency key is remembered as %j",
  async (remembered) => {
    const location = await standing("1");
    await location.valkey.hset(location.key("id:p1"), "op:1", remembered);
    await refused(location, [["patch", "p1", "SET", "n", "1", "OP", "o2"]]);
  },
);

it.each(["x", "o1 1", "o1 1 nan", "o1 1 12345678901234"])(
  "rejects a change that would push out a key remembered as %j",
  async (remembered) => {
    const location = await standing("1");
    await location.valkey.hset(location.key("id:p1"), "op:2", remembered);
    await refused(location, [
      ["patch", "p1", "SET", "n", "1", "OP", "o3"],
      ["transition", "p1", "packed", "OP", "o3"],
    ]);
    await location.ok("patch", "p1", "SET", "n", "1");
  },
);

it.each([
  ["ordinal", 1, "nan"],
  ["ordinal", 1, "1000"],
  ["log length", 2, "nan"],
  ["log length", 2, "4"],
  ["stream length", 3, "1e3"],
  ["timer", 4, "soon"],
  ["head", 9, "nothing"],
] as const)("rejects a change by a row of the machine whose %s is damaged", async (_, word, value) => {
  const location = await standing("1");
  const row = String(await location.valkey.hget(location.key("machine"), "sent>sent")).split(" ");
  row[word] = value;
  await location.valkey.hset(location.key("machine"), "sent>sent", row.join(" "));
  await refused(location, [["transition", "p1", "sent", "OP", "o9"]]);
});

it.each(["nan", "2 soon    ", "2 1 1 1 a", "1 3600000   lost ", "2 3600000   lost lost lost"])(
  "rejects timers that depend on a row that is %j",
  async (row) => {
    const location = await standing("1");
    await location.valkey.hset(location.key("machine"), "@sent", row);
    await refused(location, [
      ["heartbeat", "p1"],
      ["expire", "p1"],
    ]);
  },
);

it.each([
  ["sent>lost", ""],
  ["sent>lost", "2 and something else"],
  ["@sent timeout", ""],
  ["@sent timeout", "{"],
])("fires no timer whose row %s is %j", async (field, value) => {
  const location = await standing("1");
  await location.valkey.hset(location.key("id:p1"), "since", "1000");
  await location.valkey.hset(location.key("machine"), field, value);
  await refused(location, [["expire", "p1"]]);
});

it.each(["nan", "soon", "", "-1", "1e3"])(
  "rejects decisions by the time of the last removal if it is %j",
  async (time) => {
    const location = await standing("1");
    await location.valkey.hset(location.key("machine"), "removed", time);
    await refused(location, [
      ["create", "p2", "OP", "o9", "SENT", "1"],
      ["patch", "p1", "SET", "n", "1", "OP", "o9", "SENT", "1"],
      ["remove", "p1"],
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
  ["layout", "2"],
])("installs nothing over a machine whose %s is %j", async (field, value) => {
  const location = await standing("1");
  await location.valkey.hset(location.key("machine"), field, value);
  const before = await keyspace(location.valkey, location.namespace);
  const keys = [location.key("machine"), location.key("index")];
  const text = JSON.stringify({ ...parcel, version: 2 });
  expect(await location.error("apply", keys, [text])).toBe("LAYOUT another one than this script knows");
  expect(await keyspace(location.valkey, location.namespace)).toEqual(before);
});
