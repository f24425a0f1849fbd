import { describe, expect, it } from "vitest";
import { type Clocked, clocked } from "../helpers/clock.js";
import { keyspace } from "../helpers/keyspace.js";
import { MINUTE, SECOND, task } from "../helpers/leased.js";
import { record } from "../helpers/recorder.js";

const WEEK = 604_800_000;
const iso = (ms: number) => new Date(ms).toISOString();

async function inState(state: string, id = "t1"): Promise<Clocked> {
  const place = await clocked(task);
  await place.ok("create", id, "SET", "error", '"none"');
  place.pass(SECOND);
  if (state !== "waiting") await place.ok("transition", id, state, "FORCE", "REASON", "to be there");
  return place;
}

/** What is kept of an id. */
async function traces(place: Clocked, id: string): Promise<unknown[]> {
  const { valkey } = place;
  const keys = await valkey.exists(place.key(`id:${id}`), place.key(`log:${id}`));
  return [keys, await place.score("index", id), await place.score("due", id)];
}

it("records that a lease ran out as a change like any other, told in every place where changes are", async () => {
  const place = await inState("working");
  const recorder = await record(place.valkey, place.channel);
  place.pass(20 * SECOND);
  await place.run("heartbeat", "t1");
  const renewed = place.nowMs;
  place.pass(30 * SECOND);
  const [outcome, document] = await place.run("expire", "t1");
  const { createdAt } = JSON.parse(String(document));
  expect([outcome, document]).toEqual([
    "OK",
    `{"type":"task.lost","machine":"task","id":"t1","from":"working","state":"lost","version":3,` +
      `"timestamp":"${iso(place.nowMs)}","since":"${iso(place.nowMs)}","createdAt":"${createdAt}","actor":"latchkey",` +
      `"reason":"lease of 30s ran out at ${iso(renewed + 30 * SECOND)}, last renewed at ${iso(renewed)}",` +
      `"error":"no sign of life","n":1.0,"lostAt":"${iso(place.nowMs)}"}`,
  ]);
  expect((await place.log("t1")).at(-1)).toBe(document);
  expect((await place.events()).at(-1)).toBe(document);
  expect(await recorder.published()).toEqual([document]);
  expect(await place.score("index", "t1")).toBe(String(2e13 + place.nowMs));
  expect(await place.score("due", "t1")).toBeNull();
  expect(await place.hash("t1")).toMatchObject({ state: "lost", error: '"no sign of life"', n: "1.0" });
});

it("records a timeout, and since when the entity was in its state", async () => {
  const place = await inState("working");
  const since = place.nowMs;
  for (let passed = 0; passed < 90; passed += 10) {
    await place.run("heartbeat", "t1");
    place.pass(10 * SECOND);
  }
  const change = await place.ok("expire", "t1");
  expect(change).toMatchObject({ type: "task.overdue", from: "working", state: "late", actor: "latchkey" });
  expect(change.reason).toBe(
    `timeout of 90s ran out at ${iso(since + 90 * SECOND)}, working since ${iso(since)}`,
  );
  expect(change).not.toHaveProperty("forced");
  expect(change).not.toHaveProperty("op");
  expect(await place.score("due", "t1")).toBe(String(place.nowMs + WEEK));
});

it("fires whichever of timeout and lease ended first, however late it is asked", async () => {
  const place = await inState("working");
  place.pass(WEEK);
  expect((await place.ok("expire", "t1")).reason).toMatch(
    /^lease of 30s ran out at .*, never renewed since /,
  );
});

it("fires the timeout where both end in the same millisecond", async () => {
  const place = await inState("working");
  for (const passed of [25, 25, 10]) {
    place.pass(passed * SECOND);
    await place.run("heartbeat", "t1");
  }
  place.pass(30 * SECOND);
  expect((await place.ok("expire", "t1")).reason).toMatch(/^timeout of 90s ran out at /);
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
  const place = await clocked({ name: "offer", version: 1, initial: "open", states });
  await place.ok("create", "o1");
  place.pass(after);
  expect((await place.ok("expire", "o1")).reason).toContain(`timeout of ${text} ran out at `);
});

it("takes away entity, log, index and due together when its time to be kept is over", async () => {
  const place = await inState("late");
  await place.ok("create", "t2");
  const recorder = await record(place.valkey, place.channel);
  const since = place.nowMs;
  place.pass(WEEK - 1);
  expect((await place.run("expire", "t1"))[0]).toBe("NOTDUE");
  place.pass(1);
  const change = await place.ok("expire", "t1");
  expect(change).toMatchObject({
    type: "task.removed",
    from: "late",
    state: "late",
    version: 3,
    actor: "latchkey",
  });
  expect([change.timestamp, change.since]).toEqual([iso(place.nowMs), iso(since)]);
  expect(change.reason).toBe(`retention of 7d ran out at ${iso(place.nowMs)}, late since ${iso(since)}`);
  expect(await traces(place, "t1")).toEqual([0, null, null]);
  expect(await place.valkey.zrange(place.key("index"), 0, -1)).toEqual(["t2"]);
  expect((await place.events()).at(-1)).toBe((await recorder.published())[0]);
  expect(JSON.parse(String((await place.events()).at(-1)))).toEqual(change);
});

it("lets no late retry of a creation bring back what a retention removed", async () => {
  const place = await inState("done");
  const sent = String(place.nowMs);
  place.pass(SECOND);
  await place.ok("expire", "t1");
  expect(await place.run("create", "t1", "OP", "o1", "SENT", sent)).toEqual(["FORGOTTEN", null]);
});

it("fires once, whoever asks and however often", async () => {
  const place = await inState("working");
  place.pass(MINUTE);
  const replies = await Promise.all(Array.from({ length: 20 }, () => place.run("expire", "t1")));
  expect(replies.filter(([outcome]) => outcome === "OK")).toHaveLength(1);
  expect(replies.filter(([outcome]) => outcome === "NOTDUE")).toHaveLength(19);
  expect(await place.events()).toHaveLength(3);
});

it("fires again and again where a timer leads back to its own state", async () => {
  const place = await inState("held");
  for (const version of [3, 4]) {
    place.pass(500);
    expect(await place.ok("expire", "t1")).toMatchObject({ from: "held", state: "held", version });
    expect((await place.run("expire", "t1"))[0]).toBe("NOTDUE");
  }
});

it("leaves an entity that is not due as it is, to the byte", async () => {
  const place = await inState("working");
  place.pass(30 * SECOND - 1);
  const before = await keyspace(place.valkey, place.namespace);
  const [outcome, document] = await place.run("expire", "t1");
  expect([outcome, JSON.parse(String(document))]).toMatchObject(["NOTDUE", { state: "working", version: 2 }]);
  expect(await keyspace(place.valkey, place.namespace)).toEqual(before);
});

it.each(["parked", "lost"])(
  "never touches an entity in %s, which has no timer, whatever due says",
  async (state) => {
    const place = await inState(state);
    await place.valkey.zadd(place.key("due"), 1, "t1");
    place.pass(WEEK);
    const hash = await place.hash("t1");
    expect((await place.run("expire", "t1"))[0]).toBe("NOTDUE");
    expect(await place.hash("t1")).toEqual(hash);
    expect(await place.score("due", "t1")).toBeNull();
  },
);

it("takes away the place in due of an entity that is gone", async () => {
  const place = await inState("working");
  await place.valkey.zadd(place.key("due"), 1, "gone");
  expect(await place.run("expire", "gone")).toEqual(["NOTFOUND", null]);
  expect(await place.score("due", "gone")).toBeNull();
  expect(await place.score("due", "t1")).not.toBeNull();
});

it.each(["1", "99999999999999", "-inf", "1.5", "inf"])(
  "puts a place in due of %s right where nothing has run out",
  async (score) => {
    for (const [state, length] of [
      ["waiting", 3_600_000 - SECOND],
      ["working", 30 * SECOND],
      ["late", WEEK],
    ] as const) {
      const place = await inState(state);
      await place.valkey.zadd(place.key("due"), score, "t1");
      expect((await place.run("expire", "t1"))[0]).toBe("NOTDUE");
      expect(await place.score("due", "t1")).toBe(String(place.nowMs + length));
    }
  },
);

it("gives an entity that lacks its place in due the one it should have", async () => {
  const place = await inState("working");
  await place.valkey.del(place.key("due"));
  place.pass(SECOND);
  expect((await place.run("expire", "t1"))[0]).toBe("NOTDUE");
  expect(await place.score("due", "t1")).toBe(String(place.nowMs + 29 * SECOND));
});

it("stays in the limits of what a stream keeps", async () => {
  const place = await clocked({ ...task, events: { keep: 10 } });
  await place.ok("create", "t1", "SET", "error", "1");
  await place.ok("transition", "t1", "held", "FORCE", "REASON", "to be there");
  for (let n = 0; n < 300; n++) {
    place.pass(500);
    await place.ok("expire", "t1");
  }
  const [, block] = (await place.valkey.config("GET", "stream-node-max-entries")) as string[];
  expect((await place.events()).length).toBeLessThanOrEqual(10 + Number(block));
  expect(await place.log("t1")).toHaveLength(4);
});

it("sets what a timer sets even where a caller could set no more", async () => {
  const place = await inState("working");
  const full = Array.from({ length: 63 }, (_, n) => ["SET", `f${n}`, "1"]).flat();
  await place.ok("patch", "t1", ...full);
  expect(await place.error("patch", place.keys("t1"), ["t1", "SET", "n", "1"])).toBe("BADARG SET");
  place.pass(30 * SECOND);
  expect(await place.ok("expire", "t1")).toMatchObject({ state: "lost", error: "no sign of life", n: 1 });
});

it("refuses to enter a state whose stamp was never set, and stays in due, where it is seen", async () => {
  const states = {
    open: { to: ["shut", "tried"], timeout: { after: 1, to: "shut" } },
    tried: { stamp: "triedAt", to: ["shut"] },
    shut: { require: ["triedAt"] },
  };
  const place = await clocked({ name: "offer", version: 1, initial: "open", states });
  await place.ok("create", "o1");
  place.pass(1);
  const before = await keyspace(place.valkey, place.namespace);
  const [outcome, document] = await place.run("expire", "o1");
  expect([outcome, JSON.parse(String(document)).state]).toEqual(["MISSING", "open"]);
  expect(await keyspace(place.valkey, place.namespace)).toEqual(before);
  for (const wrong of [null, place.nowMs + SECOND]) {
    await place.valkey.zrem(place.key("due"), "o1");
    if (wrong !== null) await place.valkey.zadd(place.key("due"), wrong, "o1");
    expect((await place.run("expire", "o1"))[0]).toBe("MISSING");
    expect(await keyspace(place.valkey, place.namespace)).toEqual(before);
  }
});

it("says so when the machine was never applied", async () => {
  const place = await inState("working");
  await place.valkey.del(place.key("machine"));
  const calls = [
    ["heartbeat", "t1"],
    ["expire", "t1"],
    ["heartbeat", "gone"],
    ["expire", "gone"],
  ] as const;
  for (const [operation, id] of calls) {
    expect(await place.error(operation, place.keys(id), [id])).toBe("NOMACHINE apply it first");
  }
});

describe("under a newer version of the machine", () => {
  const working = task.states.working;
  const newer = (change: object) => ({
    ...task,
    version: 2,
    states: { ...task.states, working: { ...working, ...change } },
  });

  it("lets a longer timer end later, and a timer that is gone not at all", async () => {
    const place = await inState("working");
    await place.apply(newer({ lease: { ...working.lease, for: MINUTE } }));
    place.pass(30 * SECOND);
    expect((await place.run("expire", "t1"))[0]).toBe("NOTDUE");
    expect(await place.score("due", "t1")).toBe(String(place.nowMs + 30 * SECOND));
    await place.apply({ ...newer({ lease: undefined, timeout: undefined }), version: 3 });
    place.pass(WEEK);
    expect((await place.run("expire", "t1"))[0]).toBe("NOTDUE");
    expect(await place.score("due", "t1")).toBeNull();
  });

  it("ends a shorter timeout at once where its time is over", async () => {
    const place = await inState("waiting");
    place.pass(2 * MINUTE);
    const waiting = { to: ["working"], timeout: { after: MINUTE, to: "working" } };
    await place.apply({ ...task, version: 2, states: { ...task.states, waiting } });
    expect((await place.ok("expire", "t1")).reason).toMatch(/^timeout of 1m ran out at /);
  });

  it.each([20 * SECOND, 1])("gives whoever had no deadline for %i ms a new lease whole", async (ms) => {
    const place = await inState("parked");
    place.pass(ms);
    const parked = { to: ["working", "lost"], lease: { for: SECOND, to: "lost", set: { error: "1" } } };
    await place.apply({ ...task, version: 2, states: { ...task.states, parked } });
    expect((await place.run("expire", "t1"))[0]).toBe("NOTDUE");
    expect(await place.score("due", "t1")).toBe(String(place.nowMs + SECOND));
    expect((await place.hash("t1"))["lease:at"]).toBe(String(place.nowMs));
    place.pass(SECOND - 1);
    expect((await place.run("expire", "t1"))[0]).toBe("NOTDUE");
    place.pass(1);
    expect((await place.ok("expire", "t1")).state).toBe("lost");
  });

  const shorter = newer({ lease: { ...working.lease, for: SECOND } });

  it("shortens no lease that somebody reckons with: what was planned stands, then the shorter one counts", async () => {
    const place = await inState("working");
    const planned = place.nowMs + 30 * SECOND;
    await place.apply(shorter);
    for (const passed of [500, 500, 20 * SECOND, 9 * SECOND - 1]) {
      place.pass(passed);
      expect((await place.run("expire", "t1"))[0]).toBe("NOTDUE");
      expect(await place.score("due", "t1")).toBe(String(planned));
    }
    place.pass(1);
    expect((await place.run("expire", "t1"))[0]).toBe("NOTDUE");
    expect(await place.score("due", "t1")).toBe(String(planned + SECOND));
    place.pass(SECOND);
    expect((await place.ok("expire", "t1")).reason).toMatch(/^lease of 1s ran out at /);
  });

  it("brings the end of a lease no nearer by a renewal, whose answer may be lost", async () => {
    const place = await inState("working");
    const planned = place.nowMs + 30 * SECOND;
    await place.apply(shorter);
    for (const passed of [10 * SECOND, 19 * SECOND]) {
      place.pass(passed);
      await place.run("heartbeat", "t1");
      expect(await place.score("due", "t1")).toBe(String(planned));
    }
    place.pass(1);
    await place.run("heartbeat", "t1");
    expect(await place.score("due", "t1")).toBe(String(planned + 1));
    place.pass(SECOND);
    expect((await place.ok("expire", "t1")).state).toBe("lost");
  });

  it("ends a shorter timeout at its time, though an older version planned more", async () => {
    const place = await inState("working");
    const since = place.nowMs;
    await place.apply(newer({ ...shorter.states.working, timeout: { after: 20 * SECOND, to: "late" } }));
    place.pass(5 * SECOND);
    expect((await place.run("expire", "t1"))[0]).toBe("NOTDUE");
    expect(await place.score("due", "t1")).toBe(String(since + 20 * SECOND));
    place.pass(15 * SECOND);
    expect((await place.ok("expire", "t1")).state).toBe("late");
  });

  it("does not take the past end of an older version's timeout for that of a lease that it brings", async () => {
    const place = await inState("waiting");
    place.pass(2 * 3_600_000);
    const waiting = {
      to: ["working", "late"],
      timeout: { after: WEEK, to: "working" },
      lease: { for: 300, to: "late" },
    };
    await place.apply({ ...task, version: 2, states: { ...task.states, waiting } });
    expect((await place.run("expire", "t1"))[0]).toBe("NOTDUE");
    expect(await place.score("due", "t1")).toBe(String(place.nowMs + 300));
    place.pass(300);
    expect((await place.ok("expire", "t1")).state).toBe("late");
  });

  it.each(["99999999999999", "inf"])(
    "puts a place in due of %s right, which no version planned",
    async (score) => {
      const place = await inState("working");
      await place.apply(shorter);
      await place.valkey.zadd(place.key("due"), score, "t1");
      expect((await place.run("expire", "t1"))[0]).toBe("NOTDUE");
      expect(await place.score("due", "t1")).toBe(String(place.nowMs + SECOND));
    },
  );

  it("still ends a timeout while it gives the lease its time", async () => {
    const place = await inState("working");
    await place.valkey.del(place.key("due"));
    place.pass(2 * MINUTE);
    expect((await place.ok("expire", "t1")).reason).toMatch(/^timeout of 90s ran out at /);
  });

  it("leaves alone whoever is in a state that it dropped", async () => {
    const place = await inState("held");
    const { held: _, ...states } = task.states;
    expect((await place.apply({ ...task, version: 2, states }, "MAP", "held", "lost"))[0]).toBe("OK");
    place.pass(WEEK);
    expect((await place.run("expire", "t1"))[0]).toBe("NOTDUE");
    expect(await place.score("due", "t1")).toBeNull();
  });
});
