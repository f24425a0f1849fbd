import { expect, it } from "vitest";
import { type Clocked, clocked } from "../helpers/clock.js";
import { keyspace } from "../helpers/keyspace.js";
import { MINUTE, SECOND, task } from "../helpers/leased.js";
import { record } from "../helpers/recorder.js";

/** A task t1 that has been worked on since `nowMs`, at version 2. */
async function working(): Promise<Clocked> {
  const place = await clocked(task);
  await place.ok("create", "t1", "SET", "n", "1");
  place.pass(MINUTE);
  await place.ok("transition", "t1", "working");
  return place;
}

const due = async (place: Clocked, id = "t1") => Number(await place.score("due", id)) - place.nowMs;

it("renews the lease for its whole length, as often as it is asked", async () => {
  const place = await working();
  expect(await due(place)).toBe(30 * SECOND);
  for (const passed of [0, 1, 20 * SECOND]) {
    place.pass(passed);
    expect((await place.run("heartbeat", "t1"))[0]).toBe("OK");
    expect(await due(place)).toBe(30 * SECOND);
    expect((await place.hash("t1"))["lease:at"]).toBe(String(place.nowMs));
  }
});

it("answers with the entity as it is, whose version and times it leaves", async () => {
  const place = await working();
  const [, change] = await place.run("transition", "t1", "parked", "FORCE", "REASON", "to see the snapshot");
  expect((await place.run("heartbeat", "t1"))[0]).toBe("ILLEGAL");
  await place.ok("transition", "t1", "working");
  place.pass(SECOND);
  const before = { hash: await place.hash("t1"), log: await place.log("t1"), events: await place.events() };
  const index = await place.score("index", "t1");
  const recorder = await record(place.valkey, place.channel);
  const [outcome, document] = await place.run("heartbeat", "t1", "IFVERSION", "4", "IFSTATE", "working");
  const at = new Date(place.nowMs - SECOND).toISOString();
  expect([outcome, document]).toEqual([
    "OK",
    `{"machine":"task","id":"t1","state":"working","version":4,"timestamp":"${at}","since":"${at}",` +
      `"createdAt":"${JSON.parse(String(change)).createdAt}","n":1}`,
  ]);
  expect(await place.hash("t1")).toEqual({ ...before.hash, "lease:at": String(place.nowMs) });
  expect([await place.log("t1"), await place.events()]).toEqual([before.log, before.events]);
  expect(await place.score("index", "t1")).toBe(index);
  expect(await recorder.published()).toEqual([]);
});

it("never moves the timeout: a state that has both ends with the earlier", async () => {
  const place = await working();
  for (const left of [90, 65, 40, 15].map((seconds) => seconds * SECOND)) {
    expect((await place.run("heartbeat", "t1"))[0]).toBe("OK");
    expect(await due(place)).toBe(Math.min(30 * SECOND, left));
    place.pass(25 * SECOND);
  }
  expect((await place.run("heartbeat", "t1"))[0]).toBe("OK");
  expect(await due(place)).toBe(-10 * SECOND);
});

it("renews even late, as long as nobody has recorded that the lease ran out", async () => {
  const place = await working();
  place.pass(MINUTE);
  expect((await place.run("heartbeat", "t1"))[0]).toBe("OK");
  expect((await place.run("expire", "t1"))[0]).toBe("NOTDUE");
  place.pass(30 * SECOND);
  expect((await place.run("expire", "t1"))[0]).toBe("OK");
  expect((await place.run("heartbeat", "t1"))[0]).toBe("ILLEGAL");
});

it("refuses whoever has lost the entity to another, with the entity as it is now", async () => {
  const place = await working();
  await place.ok("transition", "t1", "waiting");
  await place.ok("transition", "t1", "working", "ACTOR", "another");
  const [outcome, document] = await place.run("heartbeat", "t1", "IFVERSION", "2");
  expect(outcome).toBe("CONFLICT");
  expect(JSON.parse(String(document))).toMatchObject({ state: "working", version: 4 });
  expect((await place.run("heartbeat", "t1", "IFSTATE", "waiting"))[0]).toBe("CONFLICT");
  expect(await due(place)).toBe(30 * SECOND);
});

it.each(["waiting", "parked", "lost", "done"])("refuses in %s, which has no lease", async (state) => {
  const place = await clocked(task);
  await place.ok("create", "t1", "SET", "error", "1");
  if (state !== "waiting") await place.ok("transition", "t1", state, "FORCE", "REASON", "to be there");
  const before = await keyspace(place.valkey, place.namespace);
  const [outcome, document] = await place.run("heartbeat", "t1");
  expect([outcome, JSON.parse(String(document)).state]).toEqual(["ILLEGAL", state]);
  expect(await keyspace(place.valkey, place.namespace)).toEqual(before);
});

it("judges NOTAFTER, then whether there is such an entity, then conditions, then whether there is a lease", async () => {
  const place = await clocked(task);
  await place.ok("create", "t1");
  expect(await place.run("heartbeat", "t2", "NOTAFTER", "1")).toEqual(["EXPIRED", null]);
  expect((await place.run("heartbeat", "t1", "NOTAFTER", "1", "IFVERSION", "9"))[0]).toBe("EXPIRED");
  expect(await place.run("heartbeat", "t2", "IFVERSION", "9")).toEqual(["NOTFOUND", null]);
  expect((await place.run("heartbeat", "t1", "IFVERSION", "9"))[0]).toBe("CONFLICT");
  expect((await place.run("heartbeat", "t1", "NOTAFTER", String(place.nowMs)))[0]).toBe("ILLEGAL");
});

it("counts a lease anew from entry when the state is entered again, whatever was renewed before", async () => {
  const place = await working();
  place.pass(SECOND);
  await place.run("heartbeat", "t1");
  await place.ok("transition", "t1", "waiting");
  place.pass(10 * SECOND);
  await place.ok("transition", "t1", "working");
  expect(await due(place)).toBe(30 * SECOND);
  place.pass(30 * SECOND);
  expect((await place.ok("expire", "t1")).reason).toMatch(/, never renewed since /);
});

it("keeps the renewal over a patch, with and without an op", async () => {
  const place = await working();
  place.pass(20 * SECOND);
  await place.run("heartbeat", "t1");
  await place.ok("patch", "t1", "SET", "n", "2", "OP", "o1");
  await place.ok("patch", "t1", "SET", "n", "3");
  place.pass(20 * SECOND);
  expect((await place.run("expire", "t1"))[0]).toBe("NOTDUE");
});

it("never goes behind an earlier heartbeat, nor does any change after it", async () => {
  const place = await working();
  place.pass(10 * SECOND);
  await place.run("heartbeat", "t1");
  const renewed = place.nowMs;
  place.pass(-5 * SECOND); // a failover to a slow clock
  await place.run("heartbeat", "t1");
  expect((await place.hash("t1"))["lease:at"]).toBe(String(renewed));
  expect(await place.score("due", "t1")).toBe(String(renewed + 30 * SECOND));
  const moved = await place.ok("transition", "t1", "waiting");
  expect(moved.timestamp).toBe(new Date(renewed).toISOString());
});

it("finds the lease of an entity whose hash is too large to stay in order", async () => {
  const place = await clocked(task);
  await place.ok("create", "t1", "SET", "text", JSON.stringify("x".repeat(100)));
  await place.ok("transition", "t1", "working");
  place.pass(20 * SECOND);
  const [outcome, document] = await place.run("heartbeat", "t1");
  expect([outcome, Object.keys(JSON.parse(String(document))).at(-1)]).toEqual(["OK", "text"]);
  place.pass(20 * SECOND);
  const [late, snapshot] = await place.run("expire", "t1");
  expect([late, snapshot]).toEqual(["NOTDUE", document]);
});
