import { expect, it } from "vitest";
import { admin, Calls, machine } from "../helpers/calls.js";
import { parcel } from "../helpers/parcel.js";

it("changes own fields, stays in the state, and counts as a change", async () => {
  const calls = await machine(parcel);
  const before = await calls.ok("create", "p1", "SET", "a", "1", "SET", "b", "2");
  await calls.valkey.hset(calls.key("id:p1"), "times:ms", "1000 1000 0");
  const [outcome, document, position] = await calls.run(
    "patch",
    "p1",
    "SET",
    "b",
    "[]",
    "UNSET",
    "a",
    "SET",
    "c",
    "{}",
    "ACTOR",
    "bob",
  );
  expect([outcome, position]).toEqual(["OK", await calls.end()]);
  const { timestamp } = JSON.parse(String(document));
  expect(timestamp > "2001").toBe(true);
  expect(document).toBe(
    `{"type":"parcel.updated","machine":"parcel","id":"p1","from":"packed","state":"packed","version":2,` +
      `"timestamp":"${timestamp}","since":"1970-01-01T00:00:01.000Z","createdAt":"${before.createdAt}",` +
      `"actor":"bob","b":[],"c":{}}`,
  );
});

it("leaves the index and the timers as they are", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  await calls.ok("transition", "p1", "sent");
  const places = () => Promise.all([calls.score("index", "p1"), calls.score("due", "p1")]);
  const before = await places();
  expect(before).not.toContain(null);
  await calls.ok("patch", "p1", "SET", "n", "1");
  expect(await places()).toEqual(before);
});

it("takes away only what the state does not require", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", "SET", "error", "1", "SET", "n", "1");
  await calls.ok("transition", "p1", "sent");
  await calls.ok("transition", "p1", "lost");
  const [outcome, document] = await calls.run("patch", "p1", "UNSET", "error");
  expect(outcome).toBe("MISSING");
  expect(JSON.parse(String(document))).toMatchObject({ version: 3, error: 1 });
  expect(await calls.ok("patch", "p1", "UNSET", "n")).not.toHaveProperty("n");
});

it("accepts the removal of a field that is not there", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  expect(await calls.ok("patch", "p1", "UNSET", "n")).toMatchObject({ version: 2 });
});

it("rejects a stamp, whether set yet or not", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  await calls.ok("transition", "p1", "sent");
  for (const field of ["sentAt", "deliveredAt"]) {
    const keys = calls.keys("p1");
    expect(await calls.error("patch", keys, ["p1", "SET", field, '"now"'])).toBe("BADARG field");
    expect(await calls.error("patch", keys, ["p1", "UNSET", field])).toBe("BADARG field");
    expect(await calls.error("transition", keys, ["p1", "packed", "UNSET", field])).toBe("BADARG field");
    expect(await calls.error("create", calls.keys("p2"), ["p2", "SET", field, "1"])).toBe("BADARG field");
  }
});

it("rejects a call that changes nothing", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  expect(await calls.error("patch", calls.keys("p1"), ["p1", "ACTOR", "bob"])).toBe("BADARG SET");
});

it("holds 64 own fields and 256 KiB of them, not counting stamps, and not one more", async () => {
  const calls = await machine(parcel);
  const many = Array.from({ length: 64 }, (_, at) => ["SET", `f${at}`, "1"]).flat();
  await calls.ok("create", "p1", ...many);
  await calls.ok("transition", "p1", "sent"); // a stamp, on top
  const keys = calls.keys("p1");
  expect(await calls.error("patch", keys, ["p1", "SET", "more", "1"])).toBe("BADARG SET");
  expect(await calls.error("create", calls.keys("p2"), ["p2", ...many, "SET", "more", "1"])).toBe(
    "BADARG SET",
  );

  const text = (bytes: number) => `"${"x".repeat(bytes - 2)}"`;
  await calls.ok("create", "p3", ...["a", "b", "c"].flatMap((field) => ["SET", field, text(65536)]));
  const fits = 262_144 - 3 * (65536 + 1) - 1;
  expect(await calls.error("patch", calls.keys("p3"), ["p3", "SET", "d", text(fits + 1)])).toBe("BADARG SET");
  expect((await calls.ok("patch", "p3", "SET", "d", text(fits))).d).toHaveLength(fits - 2);
});

it("counts the fields as they stand after the change: those it removes make room", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", ...Array.from({ length: 64 }, (_, at) => ["SET", `f${at}`, "1"]).flat());
  const patched = await calls.ok("patch", "p1", "UNSET", "f0", "SET", "more", "1");
  expect(patched).toMatchObject({ version: 2, f1: 1, more: 1 });
  expect(patched).not.toHaveProperty("f0");
});

it("returns NOTFOUND for an absent entity, and NOMACHINE if the machine was never applied", async () => {
  const calls = await machine(parcel);
  expect(await calls.run("patch", "p1", "SET", "n", "1")).toEqual(["NOTFOUND", null, null]);
  const bare = new Calls(await admin(), "parcel");
  expect(await bare.error("patch", bare.keys("p1"), ["p1", "SET", "n", "1"])).toBe(
    "NOMACHINE apply it first",
  );
});

it("returns an error if the hash or the compiled machine is unknown", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  await calls.ok("create", "p2");
  await calls.valkey.hset(calls.key("machine"), "=packed", "another layout");
  expect(await calls.error("patch", calls.keys("p1"), ["p1", "SET", "n", "1"])).toMatch(/^LAYOUT /);
  await calls.valkey.hdel(calls.key("id:p2"), "ops:forgot");
  expect(await calls.error("patch", calls.keys("p2"), ["p2", "SET", "n", "1"])).toMatch(/^LAYOUT /);
});
