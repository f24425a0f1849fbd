import { expect, it } from "vitest";
import { op } from "../helpers/calls.js";
import { type Clocked, clocked } from "../helpers/clock.js";
import { keyspace } from "../helpers/keyspace.js";
import { MINUTE, SECOND, task } from "../helpers/leased.js";
import { record } from "../helpers/recorder.js";

/** A task t1 that has been worked on since `nowMs`, at version 2. */
async function working(): Promise<Clocked> {
  const location = await clocked(task);
  await location.ok("create", "t1", "SET", "n", "1");
  location.pass(MINUTE);
  await location.ok("transition", "t1", "working");
  return location;
}

const due = async (location: Clocked, id = "t1") => Number(await location.score("due", id)) - location.nowMs;

it("renews the lease for its whole length, as often as it is asked", async () => {
  const location = await working();
  const entered = location.nowMs;
  expect(await due(location)).toBe(30 * SECOND);
  for (const passed of [0, 1, 20 * SECOND]) {
    location.pass(passed);
    expect((await location.run("heartbeat", "t1"))[0]).toBe("OK");
    expect(await due(location)).toBe(30 * SECOND);
    expect((await location.hash("t1"))["times:ms"]).toBe(`${entered} ${entered} ${location.nowMs}`);
  }
});

it("answers with the entity as it is, whose version and times it leaves", async () => {
  const location = await working();
  const [, change] = await location.run(
    "transition",
    "t1",
    "parked",
    "FORCE",
    "REASON",
    "to see the snapshot",
  );
  expect((await location.run("heartbeat", "t1"))[0]).toBe("ILLEGAL");
  await location.ok("transition", "t1", "working");
  location.pass(SECOND);
  const before = {
    hash: await location.hash("t1"),
    log: await location.log("t1"),
    events: await location.events(),
  };
  const index = await location.score("index", "t1");
  const recorder = await record(location.valkey, location.channel);
  const reply = await location.run("heartbeat", "t1", "IFVERSION", "4", "IFSTATE", "working");
  const entered = location.nowMs - SECOND;
  const at = new Date(entered).toISOString();
  expect(reply).toEqual([
    "OK",
    `{"machine":"task","id":"t1","state":"working","version":4,"timestamp":"${at}","since":"${at}",` +
      `"createdAt":"${JSON.parse(String(change)).createdAt}","n":1}`,
    null,
  ]);
  const times = `${entered} ${entered} ${location.nowMs}`;
  expect(await location.hash("t1")).toEqual({ ...before.hash, "times:ms": times });
  expect([await location.log("t1"), await location.events()]).toEqual([before.log, before.events]);
  expect(await location.score("index", "t1")).toBe(index);
  expect(await recorder.published()).toEqual([]);
});

it("never moves the timeout: a state that has both ends with the earlier", async () => {
  const location = await working();
  for (const left of [90, 65, 40, 15].map((seconds) => seconds * SECOND)) {
    expect((await location.run("heartbeat", "t1"))[0]).toBe("OK");
    expect(await due(location)).toBe(Math.min(30 * SECOND, left));
    location.pass(25 * SECOND);
  }
  expect((await location.run("heartbeat", "t1"))[0]).toBe("OK");
  expect(await due(location)).toBe(-10 * SECOND);
});

it("renews even late, until the expiry of the lease is recorded", async () => {
  const location = await working();
  location.pass(MINUTE);
  expect((await location.run("heartbeat", "t1"))[0]).toBe("OK");
  expect((await location.run("expire", "t1"))[0]).toBe("NOTDUE");
  location.pass(30 * SECOND);
  expect((await location.run("expire", "t1"))[0]).toBe("OK");
  expect((await location.run("heartbeat", "t1"))[0]).toBe("ILLEGAL");
});

it("rejects a caller that has lost the entity, with the current entity", async () => {
  const location = await working();
  await location.ok("transition", "t1", "waiting");
  await location.ok("transition", "t1", "working", "ACTOR", "another");
  const [outcome, document] = await location.run("heartbeat", "t1", "IFVERSION", "2");
  expect(outcome).toBe("CONFLICT");
  expect(JSON.parse(String(document))).toMatchObject({ state: "working", version: 4 });
  expect((await location.run("heartbeat", "t1", "IFSTATE", "waiting"))[0]).toBe("CONFLICT");
  expect(await due(location)).toBe(30 * SECOND);
});

it.each(["waiting", "parked", "lost", "done"])("rejects in %s, which has no lease", async (state) => {
  const location = await clocked(task);
  await location.ok("create", "t1", "SET", "error", "1");
  if (state !== "waiting") await location.ok("transition", "t1", state, "FORCE", "REASON", "to be there");
  const before = await keyspace(location.valkey, location.namespace);
  const [outcome, document] = await location.run("heartbeat", "t1");
  expect([outcome, JSON.parse(String(document)).state]).toEqual(["ILLEGAL", state]);
  expect(await keyspace(location.valkey, location.namespace)).toEqual(before);
});

it("judges NOTAFTER, then whether there is such an entity, then conditions, then whether there is a lease", async () => {
  const location = await clocked(task);
  await location.ok("create", "t1");
  expect(await location.run("heartbeat", "t2", "NOTAFTER", "1")).toEqual(["EXPIRED", null, null]);
  expect((await location.run("heartbeat", "t1", "NOTAFTER", "1", "IFVERSION", "9"))[0]).toBe("EXPIRED");
  expect(await location.run("heartbeat", "t2", "IFVERSION", "9")).toEqual(["NOTFOUND", null, null]);
  expect((await location.run("heartbeat", "t1", "IFVERSION", "9"))[0]).toBe("CONFLICT");
  expect((await location.run("heartbeat", "t1", "NOTAFTER", String(location.nowMs)))[0]).toBe("ILLEGAL");
});

it("counts a lease anew from entry when the state is entered again, whatever was renewed before", async () => {
  const location = await working();
  location.pass(SECOND);
  await location.run("heartbeat", "t1");
  await location.ok("transition", "t1", "waiting");
  location.pass(10 * SECOND);
  await location.ok("transition", "t1", "working");
  expect(await due(location)).toBe(30 * SECOND);
  location.pass(30 * SECOND);
  expect((await location.ok("expire", "t1")).reason).toMatch(/, never renewed since /);
});

it("keeps the renewal over a patch, with and without a key", async () => {
  const location = await working();
  location.pass(20 * SECOND);
  await location.run("heartbeat", "t1");
  await location.ok("patch", "t1", "SET", "n", "2", ...op("o1"));
  await location.ok("patch", "t1", "SET", "n", "3");
  location.pass(20 * SECOND);
  expect((await location.run("expire", "t1"))[0]).toBe("NOTDUE");
});

it("never goes behind an earlier heartbeat, nor does any change after it", async () => {
  const location = await working();
  location.pass(10 * SECOND);
  await location.run("heartbeat", "t1");
  const renewed = location.nowMs;
  location.pass(-5 * SECOND); // a failover to a slow clock
  await location.run("heartbeat", "t1");
  expect((await location.hash("t1"))["times:ms"]).toMatch(new RegExp(` ${renewed}$`));
  expect(await location.score("due", "t1")).toBe(String(renewed + 30 * SECOND));
  const moved = await location.ok("transition", "t1", "waiting");
  expect(moved.timestamp).toBe(new Date(renewed).toISOString());
});

it("finds the lease of an entity whose hash is too large to stay in order", async () => {
  const location = await clocked(task);
  await location.ok("create", "t1", "SET", "text", JSON.stringify("x".repeat(100)));
  await location.ok("transition", "t1", "working");
  location.pass(20 * SECOND);
  const [outcome, document] = await location.run("heartbeat", "t1");
  expect([outcome, Object.keys(JSON.parse(String(document))).at(-1)]).toEqual(["OK", "text"]);
  location.pass(20 * SECOND);
  expect(await location.run("expire", "t1")).toEqual(["NOTDUE", document, null]);
});

it("forgets the heartbeats of a stay when the state is entered again, and counts from entry", async () => {
  const location = await working();
  location.pass(20 * SECOND);
  await location.run("heartbeat", "t1");
  await location.ok("transition", "t1", "working", "FORCE", "REASON", "taken over");
  expect((await location.hash("t1"))["times:ms"]).toBe(`${location.nowMs} ${location.nowMs} 0`);
  expect(await due(location)).toBe(30 * SECOND);
});

it("uses only the keys of the entity, the machine and the timers, whatever the others hold", async () => {
  const location = await working();
  const [, logKey = "", , indexKey = "", , eventsKey = ""] = location.keys("t1");
  for (const key of [logKey, indexKey, eventsKey]) {
    await location.valkey.del(key);
    await location.valkey.set(key, "planted");
  }
  expect((await location.run("heartbeat", "t1"))[0]).toBe("OK");
});
