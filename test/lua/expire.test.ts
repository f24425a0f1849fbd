import { expect, it } from "vitest";
import { op } from "../helpers/calls.js";
import { clocked } from "../helpers/clock.js";
import { keyspace, unchanged } from "../helpers/keyspace.js";
import { inState, MINUTE, SECOND, task } from "../helpers/leased.js";
import { record } from "../helpers/recorder.js";

const WEEK = 604_800_000;
const iso = (ms: number) => new Date(ms).toISOString();

it("records an expired lease as a change like any other, in every place for changes", async () => {
  const location = await inState("working");
  const recorder = await record(location.valkey, location.channel);
  location.pass(20 * SECOND);
  await location.run("heartbeat", "t1");
  const renewed = location.nowMs;
  location.pass(30 * SECOND);
  const [outcome, document, position] = await location.run("expire", "t1");
  const { createdAt } = JSON.parse(String(document));
  expect([outcome, document, position]).toEqual([
    "OK",
    `{"type":"task.lost","machine":"task","id":"t1","from":"working","state":"lost","version":3,` +
      `"timestamp":"${iso(location.nowMs)}","since":"${iso(location.nowMs)}","createdAt":"${createdAt}","actor":"latchkey",` +
      `"reason":"lease of 30s expired at ${iso(renewed + 30 * SECOND)}, last renewed at ${iso(renewed)}",` +
      `"error":"no sign of life","n":1.0,"lostAt":"${iso(location.nowMs)}"}`,
    await location.end(),
  ]);
  expect((await location.changes("t1")).at(-1)).toMatchObject({ position, version: 3, actor: "latchkey" });
  expect((await location.events()).at(-1)).toBe(document);
  expect(await recorder.published()).toEqual([document]);
  expect(await location.score("index", "t1")).toBe(String(2e13 + location.nowMs));
  expect(await location.score("due", "t1")).toBeNull();
  expect(await location.hash("t1")).toMatchObject({ state: "lost", error: '"no sign of life"', n: "1.0" });
});

it("records a timeout, and since when the entity was in its state", async () => {
  const location = await inState("working");
  const since = location.nowMs;
  for (let passed = 0; passed < 90; passed += 10) {
    await location.run("heartbeat", "t1");
    location.pass(10 * SECOND);
  }
  const change = await location.ok("expire", "t1");
  expect(change).toMatchObject({ type: "task.overdue", from: "working", state: "late", actor: "latchkey" });
  expect(change.reason).toBe(
    `timeout of 90s expired at ${iso(since + 90 * SECOND)}, working since ${iso(since)}`,
  );
  expect(change).not.toHaveProperty("forced");
  expect(change).not.toHaveProperty("op");
  expect(await location.score("due", "t1")).toBe(String(location.nowMs + WEEK));
});

it("fires whichever of timeout and lease ended first, however late it is asked", async () => {
  const location = await inState("working");
  location.pass(WEEK);
  expect((await location.ok("expire", "t1")).reason).toMatch(
    /^lease of 30s expired at .*, never renewed since /,
  );
});

it("fires the timeout where both end in the same millisecond", async () => {
  const location = await inState("working");
  for (const passed of [25, 25, 10]) {
    location.pass(passed * SECOND);
    await location.run("heartbeat", "t1");
  }
  location.pass(30 * SECOND);
  expect((await location.ok("expire", "t1")).reason).toMatch(/^timeout of 90s expired at /);
});

it.each([
  [1, "1ms"],
  [1500, "1500ms"],
  [2000, "2s"],
  [90_000, "90s"],
  [180_000, "3m"],
  [7_200_000, "2h"],
  [90_000_000, "25h"],
  [604_800_000, "7d"],
  [1e12 - 1, "999999999999ms"],
  [1e12, "1000000000s"],
])("writes a length of %i ms as %s", async (after, text) => {
  const states = { open: { to: ["shut"], timeout: { after, to: "shut" } }, shut: {} };
  const location = await clocked({ name: "offer", version: 1, initial: "open", states });
  await location.ok("create", "o1");
  location.pass(after);
  expect((await location.ok("expire", "o1")).reason).toContain(`timeout of ${text} expired at `);
});

it("removes entity, log and timer together when the retention ends, and leaves a tombstone", async () => {
  const location = await inState("late");
  await location.ok("create", "t2");
  const recorder = await record(location.valkey, location.channel);
  const since = location.nowMs;
  location.pass(WEEK - 1);
  expect((await location.run("expire", "t1"))[0]).toBe("NOTDUE");
  location.pass(1);
  const change = await location.ok("expire", "t1");
  expect(change).toMatchObject({
    type: "task.removed",
    from: "late",
    state: "late",
    version: 3,
    actor: "latchkey",
  });
  expect([change.timestamp, change.since]).toEqual([iso(location.nowMs), iso(since)]);
  expect(change.reason).toBe(`retention of 7d expired at ${iso(location.nowMs)}, late since ${iso(since)}`);
  const [ms = 0, sequence = 0] = (await location.end()).split("-").map(Number);
  expect(await location.score("index", "t1")).toBe(String(-(ms * 1024 + sequence)));
  expect(await location.score("due", "t1")).toBeNull();
  expect(await location.valkey.exists(location.key("id:t1"), location.key("log:t1"))).toBe(0);
  expect(await location.valkey.zrangebyscore(location.key("index"), 0, "+inf")).toEqual(["t2"]);
  expect(change).not.toHaveProperty("error");
  expect((await location.events()).at(-1)).toBe((await recorder.published())[0]);
  expect(JSON.parse(String((await location.events()).at(-1)))).toEqual(change);
});

it("lets no late retry of a creation bring back what a retention removed", async () => {
  const location = await inState("done");
  const seen = await location.end();
  location.pass(SECOND);
  await location.ok("expire", "t1");
  const retry = await unchanged(location, () => location.run("create", "t1", ...op("o1", seen)));
  expect(retry).toEqual(["FORGOTTEN", null, await location.end()]);
});

it("fires once, whoever asks and however often", async () => {
  const location = await inState("working");
  location.pass(MINUTE);
  const replies = await Promise.all(Array.from({ length: 20 }, () => location.run("expire", "t1")));
  expect(replies.filter(([outcome]) => outcome === "OK")).toHaveLength(1);
  expect(replies.filter(([outcome]) => outcome === "NOTDUE")).toHaveLength(19);
  expect(await location.events()).toHaveLength(3);
});

it("fires again and again where a timer leads back to its own state", async () => {
  const location = await inState("held");
  for (const version of [3, 4]) {
    location.pass(500);
    expect(await location.ok("expire", "t1")).toMatchObject({ from: "held", state: "held", version });
    expect((await location.run("expire", "t1"))[0]).toBe("NOTDUE");
  }
});

it("leaves an entity that is not due as it is, to the byte", async () => {
  const location = await inState("working");
  location.pass(30 * SECOND - 1);
  const before = await keyspace(location.valkey, location.namespace);
  const [outcome, document] = await location.run("expire", "t1");
  expect([outcome, JSON.parse(String(document))]).toMatchObject(["NOTDUE", { state: "working", version: 2 }]);
  expect(await keyspace(location.valkey, location.namespace)).toEqual(before);
});

it.each(["parked", "lost"])(
  "never touches an entity in %s, which has no timer, whatever due says",
  async (state) => {
    const location = await inState(state);
    await location.valkey.zadd(location.key("due"), 1, "t1");
    location.pass(WEEK);
    const hash = await location.hash("t1");
    expect((await location.run("expire", "t1"))[0]).toBe("NOTDUE");
    expect(await location.hash("t1")).toEqual(hash);
    expect(await location.score("due", "t1")).toBeNull();
  },
);

it("takes away the place in due of an entity that is gone", async () => {
  const location = await inState("working");
  await location.valkey.zadd(location.key("due"), 1, "gone");
  expect(await location.run("expire", "gone")).toEqual(["NOTFOUND", null, null]);
  expect(await location.score("due", "gone")).toBeNull();
  expect(await location.score("due", "t1")).not.toBeNull();
});

it.each(["1", "99999999999999", "-inf", "1.5", "inf"])(
  "corrects an entry in due of %s if nothing has expired",
  async (score) => {
    for (const [state, length] of [
      ["waiting", 3_600_000 - SECOND],
      ["working", 30 * SECOND],
      ["late", WEEK],
    ] as const) {
      const location = await inState(state);
      await location.valkey.zadd(location.key("due"), score, "t1");
      expect((await location.run("expire", "t1"))[0]).toBe("NOTDUE");
      expect(await location.score("due", "t1")).toBe(String(location.nowMs + length));
    }
  },
);

it("adds the missing entry in due of an entity", async () => {
  const location = await inState("working");
  await location.valkey.del(location.key("due"));
  location.pass(SECOND);
  expect((await location.run("expire", "t1"))[0]).toBe("NOTDUE");
  expect(await location.score("due", "t1")).toBe(String(location.nowMs + 29 * SECOND));
});

it("stays in the limits of what a stream keeps", async () => {
  const location = await clocked({ ...task, events: { keep: 10 } });
  await location.ok("create", "t1", "SET", "error", "1");
  await location.ok("transition", "t1", "held", "FORCE", "REASON", "to be there");
  for (let n = 0; n < 300; n++) {
    location.pass(500);
    await location.ok("expire", "t1");
  }
  const [, block] = (await location.valkey.config("GET", "stream-node-max-entries")) as string[];
  expect((await location.events()).length).toBeLessThanOrEqual(10 + Number(block));
  expect((await location.changes("t1")).length).toBeLessThan(40);
});

it("returns with DRYRUN the change that would be made, and writes nothing", async () => {
  for (const [state, wait, type] of [
    ["working", 30 * SECOND, "task.lost"],
    ["late", WEEK, "task.removed"],
  ] as const) {
    const location = await inState(state);
    location.pass(wait);
    const [outcome, document, position] = await unchanged(location, () =>
      location.run("expire", "t1", "DRYRUN"),
    );
    expect([outcome, position]).toEqual(["OK", null]);
    expect(JSON.parse(String(document))).toMatchObject({ type, from: state, version: 3 });
    expect((await location.run("expire", "t1"))[1]).toBe(document);
  }
});

it("corrects nothing with DRYRUN if nothing fires", async () => {
  const location = await inState("working");
  await location.valkey.zadd(location.key("due"), 1, "t1", 1, "gone");
  const reply = async (id: string) =>
    (await unchanged(location, () => location.run("expire", id, "DRYRUN")))[0];
  expect([await reply("t1"), await reply("gone")]).toEqual(["NOTDUE", "NOTFOUND"]);
});

it("sets what a timer sets even if a caller could set no more fields", async () => {
  const location = await inState("working");
  const full = Array.from({ length: 63 }, (_, n) => ["SET", `f${n}`, "1"]).flat();
  await location.ok("patch", "t1", ...full);
  expect(await location.error("patch", location.keys("t1"), ["t1", "SET", "n", "1"])).toBe("BADARG SET");
  location.pass(30 * SECOND);
  expect(await location.ok("expire", "t1")).toMatchObject({ state: "lost", error: "no sign of life", n: 1 });
});

it("rejects a state whose required stamp was never set, and keeps the entity in due", async () => {
  const states = {
    open: { to: ["shut", "tried"], timeout: { after: 1, to: "shut" } },
    tried: { stamp: "triedAt", to: ["shut"] },
    shut: { require: ["triedAt"] },
  };
  const location = await clocked({ name: "offer", version: 1, initial: "open", states });
  await location.ok("create", "o1");
  location.pass(1);
  const before = await keyspace(location.valkey, location.namespace);
  const [outcome, document] = await location.run("expire", "o1");
  expect([outcome, JSON.parse(String(document)).state]).toEqual(["MISSING", "open"]);
  expect(await keyspace(location.valkey, location.namespace)).toEqual(before);
  for (const wrong of [null, location.nowMs + SECOND]) {
    await location.valkey.zrem(location.key("due"), "o1");
    if (wrong !== null) await location.valkey.zadd(location.key("due"), wrong, "o1");
    expect((await location.run("expire", "o1"))[0]).toBe("MISSING");
    expect(await keyspace(location.valkey, location.namespace)).toEqual(before);
  }
});

it("returns NOMACHINE if the machine was never applied", async () => {
  const location = await inState("working");
  await location.valkey.del(location.key("machine"));
  const calls = [
    ["heartbeat", "t1"],
    ["expire", "t1"],
    ["heartbeat", "gone"],
    ["expire", "gone"],
  ] as const;
  for (const [operation, id] of calls) {
    expect(await location.error(operation, location.keys(id), [id])).toBe("NOMACHINE apply it first");
  }
});
