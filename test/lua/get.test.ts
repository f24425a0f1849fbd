import { expect, it } from "vitest";
import { scripts } from "../../src/lua/index.js";
import { machine } from "../helpers/calls.js";
import { unchanged } from "../helpers/keyspace.js";
import { HOUR, parcel } from "../helpers/parcel.js";

it("returns the snapshot of an entity without a timer", async () => {
  const calls = await machine(parcel);
  const { timestamp } = await calls.ok("create", "p1", "SET", "n", "1.0", "ACTOR", "ann");
  expect(await unchanged(calls, () => calls.run("get", "p1"))).toEqual([
    "OK",
    `{"machine":"parcel","id":"p1","state":"packed","version":1,"timestamp":"${timestamp}","since":"${timestamp}",` +
      `"createdAt":"${timestamp}","n":1.0}`,
    null,
  ]);
});

it("returns when the next timer ends, after createdAt", async () => {
  const calls = await machine(parcel);
  const { createdAt } = await calls.ok("create", "p1");
  const { timestamp } = await calls.ok("transition", "p1", "sent");
  const [, document] = await unchanged(calls, () => calls.run("get", "p1"));
  const dueAt = new Date(Date.parse(timestamp) + HOUR).toISOString();
  expect(document).toContain(`"createdAt":"${createdAt}","dueAt":"${dueAt}","sentAt":"${timestamp}"}`);
});

it("returns NOTFOUND for an id that does not exist or was removed", async () => {
  const calls = await machine(parcel);
  expect(await calls.run("get", "p1")).toEqual(["NOTFOUND", null, null]);
  await calls.ok("create", "p1");
  await calls.ok("remove", "p1");
  expect(await calls.run("get", "p1")).toEqual(["NOTFOUND", null, null]);
});

it("returns NOMACHINE if neither the entity nor the machine exists, and LAYOUT for a damaged entity", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  await calls.valkey.hset(calls.key("id:p1"), "version", "x");
  expect(await calls.error("get", calls.keys("p1"), ["p1"])).toMatch(/^LAYOUT /);
  await calls.valkey.del(calls.key("machine"));
  expect(await calls.error("get", calls.keys("p2"), ["p2"])).toBe("NOMACHINE apply it first");
});

it("runs by EVALSHA_RO, as the only script that does", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  const keys = calls.keys("p1");
  for (const [operation, { sha1, text }] of Object.entries(scripts)) {
    await calls.valkey.script("LOAD", text);
    const call = calls.valkey.call("EVALSHA_RO", sha1, keys.length, ...keys, "p1");
    if (operation === "get") expect(await call).toMatchObject(await calls.run("get", "p1"));
    else await expect(call).rejects.toThrow(/write flag using \*_ro/);
  }
});
