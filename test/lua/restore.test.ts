import { describe, expect, it } from "vitest";
import { type Calls, machine, op } from "../helpers/calls.js";
import { clocked } from "../helpers/clock.js";
import { unchanged } from "../helpers/keyspace.js";
import { SECOND, task } from "../helpers/leased.js";
import { DAY, HOUR, parcel } from "../helpers/parcel.js";

const iso = (ms: number) => new Date(ms).toISOString();
const CREATED = 1_700_000_000_000;
const SINCE = CREATED + HOUR;

async function restored(calls: Calls, ...args: string[]) {
  const key = args.includes("OP") ? [] : op("o1", await calls.end());
  return calls.run("restore", "p1", "sent", "7", `${CREATED}`, `${SINCE}`, ...key, ...args);
}

it("creates an entity in any state, with the version and the times that it had", async () => {
  const calls = await machine(parcel);
  const options = [
    "SET",
    "n",
    "1.0",
    "ACTOR",
    "ann",
    "REASON",
    "import",
    "SET",
    "sentAt",
    '"2001-01-01T00:00:00.000Z"',
  ];
  const [outcome, document, position] = await restored(calls, ...options);
  expect([outcome, position]).toEqual(["OK", await calls.end()]);
  const { timestamp } = JSON.parse(String(document));
  expect(document).toBe(
    `{"type":"parcel.restored","machine":"parcel","id":"p1","from":null,"state":"sent","version":7,` +
      `"timestamp":"${timestamp}","since":"${iso(SINCE)}","createdAt":"${iso(CREATED)}","actor":"ann",` +
      `"reason":"import","op":"o1","n":1.0,"sentAt":"2001-01-01T00:00:00.000Z"}`,
  );
  const ms = Date.parse(timestamp);
  expect(Object.entries(await calls.hash("p1"))).toEqual([
    ["state", "sent"],
    ["version", "7"],
    ["times:ms", `${ms} ${SINCE} 0`],
    ["created", iso(CREATED)],
    ["ops:forgot", position],
    ["n", "1.0"],
    ["sentAt", '"2001-01-01T00:00:00.000Z"'],
  ]);
  expect(await calls.events()).toEqual([document]);
  expect(await calls.score("index", "p1")).toBe(String(1e13 + SINCE));
  expect(await calls.score("due", "p1")).toBe(String(SINCE + HOUR));
  expect(await calls.changes("p1")).toEqual([
    {
      ...{ position, type: "parcel.restored", from: null, state: "sent", version: 7, timestamp },
      ...{ actor: "ann", reason: "import", set: { n: 1, sentAt: "2001-01-01T00:00:00.000Z" }, op: "o1" },
    },
  ]);
});

it("sets the stamp of the state to the time of entry if none is given", async () => {
  const calls = await machine(parcel);
  const [, document] = await restored(calls);
  expect(JSON.parse(String(document)).sentAt).toBe(iso(SINCE));
});

it("goes on with the next version, and fires a timeout that counts from the time of entry", async () => {
  const calls = await machine(parcel);
  await restored(calls);
  expect(await calls.ok("patch", "p1", "SET", "n", "1")).toMatchObject({ version: 8, since: iso(SINCE) });
  expect((await calls.ok("expire", "p1")).reason).toContain(`sent since ${iso(SINCE)}`);
});

it("counts a retention from the time of entry, and a lease from the restore", async () => {
  const location = await clocked(task);
  const entered = location.nowMs - DAY;
  const restore = (id: string, state: string, ...args: string[]) =>
    location.ok("restore", id, state, "3", `${entered}`, `${entered}`, ...args, ...op("o1"));
  await restore("t1", "late");
  expect(await location.score("due", "t1")).toBe(String(entered + 7 * DAY));
  await restore("t2", "held");
  expect(await location.score("due", "t2")).toBe(String(location.nowMs + 500));
  expect((await location.hash("t2"))["times:ms"]).toBe(`${location.nowMs} ${entered} ${location.nowMs}`);
  await restore("t3", "lost", "SET", "error", "1");
  expect(await location.score("due", "t3")).toBeNull();
});

it("takes a time of entry up to 60 s ahead of the clock, and no later one", async () => {
  const location = await clocked(task);
  const at = (since: number) => ["waiting", "1", "0", `${since}`, ...op("o1")];
  const later = ["t1", ...at(location.nowMs + 60 * SECOND + 1)];
  await expect(unchanged(location, () => location.run("restore", "t1", ...later.slice(1)))).rejects.toThrow(
    "BADARG since",
  );
  expect((await location.run("restore", "t1", ...at(location.nowMs + 60 * SECOND)))[0]).toBe("OK");
});

describe("chooses a position after SEEN", () => {
  it.each([
    ["behind the log's end", (end: number) => `${end - HOUR}-0`],
    ["ahead of the clock", (end: number) => `${end + HOUR}-5`],
    ["far ahead of the clock", (end: number) => `${end + 1000 * DAY}-999999`],
  ])("if it is %s", async (_, seenAt) => {
    const calls = await machine(parcel);
    await calls.ok("create", "other");
    const [ms, sequence] = (await calls.end()).split("-").map(Number);
    const seen = seenAt(Number(ms));
    const [outcome, , position] = await restored(calls, ...op("o1", seen));
    expect([outcome, position]).toEqual(["OK", await calls.end()]);
    const [seenMs, seenSequence] = seen.split("-").map(Number);
    const [newMs = 0, newSequence = 0] = String(position).split("-").map(Number);
    const isAfter = (aMs = 0, aSequence = 0) => newMs > aMs || (newMs === aMs && newSequence > aSequence);
    expect([isAfter(ms, sequence), isAfter(seenMs, seenSequence)]).toEqual([true, true]);
    if (seenMs !== undefined && seenMs > Number(ms))
      expect(position).toBe(`${seenMs}-${Number(seenSequence) + 1}`);
    expect((await calls.run("patch", "p1", "SET", "n", "1", ...op("o2", String(position))))[0]).toBe("OK");
  });

  it("if the log's end is ahead of the clock and of it", async () => {
    const calls = await machine(parcel);
    const ahead = Date.now() + HOUR;
    await calls.valkey.xadd(calls.key("events"), `${ahead}-41`, "doc", "{}");
    expect((await restored(calls, ...op("o1", `${ahead}-7`)))[2]).toBe(`${ahead}-42`);
    expect((await calls.ok("create", "other")).version).toBe(1);
  });
});

it("recognises late copies of calls that the entity already contains", async () => {
  const calls = await machine(parcel);
  const source = await machine(parcel); // the entity comes from here
  await source.ok("create", "p1");
  const seen = await source.end();
  await source.ok("transition", "p1", "sent", ...op("late", seen));
  const [, , position] = await restored(calls, ...op("o1", await source.end()));
  for (const [operation, ...args] of [
    ["transition", "packed"],
    ["patch", "SET", "n", "1"],
    ["create"],
    ["remove"],
  ] as const) {
    const copy = () => calls.run(operation, "p1", ...args, ...op("late", seen));
    const [outcome, , end] = await unchanged(calls, copy);
    expect([outcome, end]).toEqual(["FORGOTTEN", position]);
  }
});

it("rejects an existing id, and a state whose required fields are not given", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", "SET", "n", "1");
  const [outcome, document] = await unchanged(calls, () => restored(calls));
  expect([outcome, JSON.parse(String(document))]).toMatchObject([
    "EXISTS",
    { state: "packed", version: 1, n: 1 },
  ]);
  const lost = (...args: string[]) =>
    calls.run("restore", "p2", "lost", "1", "0", `${SINCE}`, ...args, ...op("o1"));
  expect(await unchanged(calls, () => lost("SET", "error", "1"))).toEqual(["MISSING", null, null]);
  expect((await lost("SET", "error", "1", "SET", "sentAt", "1"))[0]).toBe("OK");
});

it("returns with DRYRUN the change without a position, and writes nothing", async () => {
  const calls = await machine(parcel);
  const [outcome, document, position] = await unchanged(calls, () => restored(calls, "DRYRUN"));
  expect([outcome, position]).toEqual(["OK", null]);
  expect(JSON.parse(String(document))).toMatchObject({ type: "parcel.restored", version: 7 });
});

it("restores an entity with 64 fields of 4 kB", async () => {
  const calls = await machine(parcel);
  const value = JSON.stringify("x".repeat(4000));
  const set = Array.from({ length: 64 }, (_, n) => ["SET", `f${n}`, value]).flat();
  await restored(calls, ...set);
  expect(await calls.ok("patch", "p1", "UNSET", "f0")).toMatchObject({ version: 8, f63: "x".repeat(4000) });
});

it("returns NOMACHINE if the machine was never applied", async () => {
  const calls = await machine(parcel);
  await calls.valkey.del(calls.key("machine"));
  const args = ["p1", "sent", "7", "1000", `${SINCE}`, ...op("o1")];
  expect(await calls.error("restore", calls.keys("p1"), args)).toBe("NOMACHINE apply it first");
});

it.each(["8700000000001-0", "999999999999999-0", "1700000000000-100000000000000"])(
  "rejects SEEN %s, after which the log could not go on",
  async (seen) => {
    const calls = await machine(parcel);
    await calls.ok("create", "p2");
    await unchanged(calls, async () => {
      await expect(restored(calls, ...op("o1", seen))).rejects.toThrow("BADARG SEEN");
      return ["", null, null] as const;
    });
  },
);
