import { expect, it } from "vitest";
import { admin, Calls, machine, op } from "../helpers/calls.js";
import { parcel } from "../helpers/parcel.js";

it("takes an entity out of the server, and answers with the change without own fields", async () => {
  const calls = await machine(parcel);
  const created = await calls.ok("create", "p1", "SET", "n", "1");
  const sent = await calls.ok("transition", "p1", "sent");
  const [outcome, document, position] = await calls.run(
    ...(["remove", "p1", "ACTOR", "bob", "REASON", "tidy", ...op("o1")] as const),
  );
  expect([outcome, position]).toEqual(["OK", await calls.end()]);
  const { timestamp } = JSON.parse(String(document));
  expect(document).toBe(
    `{"type":"parcel.removed","machine":"parcel","id":"p1","from":"sent","state":"sent","version":3,` +
      `"timestamp":"${timestamp}","since":"${sent.since}","createdAt":"${created.createdAt}",` +
      `"actor":"bob","reason":"tidy","op":"o1"}`,
  );
  expect(await calls.valkey.exists(calls.key("id:p1"), calls.key("log:p1"))).toBe(0);
  expect(await calls.score("due", "p1")).toBeNull();
  expect((await calls.events()).at(-1)).toBe(document);
});

it("leaves other entities alone", async () => {
  const calls = await machine(parcel);
  for (const id of ["p1", "p11", "p"]) await calls.ok("create", id);
  await calls.ok("remove", "p1");
  const living = await calls.valkey.zrangebyscore(calls.key("index"), 0, "+inf");
  expect(living.sort()).toEqual(["p", "p11"]);
  expect((await calls.hash("p11")).state).toBe("packed");
  expect(await calls.changes("p")).toHaveLength(1);
});

it("returns NOTFOUND for an absent or removed entity", async () => {
  const calls = await machine(parcel);
  expect(await calls.run("remove", "p1")).toEqual(["NOTFOUND", null, null]);
  await calls.ok("create", "p1");
  await calls.ok("remove", "p1");
  expect(await calls.run("remove", "p1")).toEqual(["NOTFOUND", null, null]);
  expect(await calls.run("remove", "p1", ...op("o1", await calls.end()))).toEqual(["NOTFOUND", null, null]);
});

it("starts a new life at version 1 when the id is created again", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", "SET", "n", "1");
  await calls.ok("remove", "p1");
  const again = await calls.ok("create", "p1");
  expect(again).toMatchObject({ version: 1, from: null });
  expect(again).not.toHaveProperty("n");
  expect(await calls.changes("p1")).toHaveLength(1);
});

it("returns an error if the machine was never applied, or the hash or the machine is unknown", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  await calls.ok("create", "p2");
  const bare = new Calls(await admin(), "parcel");
  expect(await bare.error("remove", bare.keys("p1"), ["p1"])).toBe("NOMACHINE apply it first");
  await calls.valkey.hdel(calls.key("id:p1"), "created");
  expect(await calls.error("remove", calls.keys("p1"), ["p1"])).toMatch(/^LAYOUT /);
  await calls.valkey.hset(calls.key("machine"), "-", "another layout");
  expect(await calls.error("remove", calls.keys("p2"), ["p2"])).toMatch(/^LAYOUT /);
});
