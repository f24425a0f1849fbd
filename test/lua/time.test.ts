import { describe, expect, it } from "vitest";
import type { Operation } from "../../src/lua/index.js";
import { type Argument, type Calls, machine, op } from "../helpers/calls.js";
import { type Clocked, clocked } from "../helpers/clock.js";
import { unchanged } from "../helpers/keyspace.js";
import { MINUTE, SECOND, task } from "../helpers/leased.js";
import { parcel } from "../helpers/parcel.js";

const DAY = 86_400_000;
const iso = (ms: number) => new Date(ms).toISOString();

async function serverTime({ valkey }: Calls): Promise<number> {
  const [seconds, micros] = await valkey.time();
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
}

it("stamps changes by the server's clock", async () => {
  const calls = await machine(parcel);
  const before = await serverTime(calls);
  const { timestamp } = await calls.ok("create", "p1");
  const after = await serverTime(calls);
  expect(Date.parse(timestamp)).toBeGreaterThanOrEqual(before);
  expect(Date.parse(timestamp)).toBeLessThanOrEqual(after);
});

/** Creates t1, which enters `working` and is renewed after 5 s; then sets the clock back. */
async function setBack(
  ms: number,
  ...fields: string[]
): Promise<{ location: Clocked; entered: number; renewed: number }> {
  const location = await clocked(task);
  await location.ok("create", "t1", ...fields);
  location.pass(SECOND);
  await location.ok("transition", "t1", "working");
  const entered = location.nowMs;
  location.pass(5 * SECOND);
  await location.run("heartbeat", "t1");
  const renewed = location.nowMs;
  location.pass(-ms);
  return { location, entered, renewed };
}

const LATE = ["late", "FORCE", "REASON", "by hand"];
const changes: readonly [operation: Operation, ...args: Argument[]][] = [
  ["patch", "SET", "n", "1"],
  ["transition", "waiting"],
  ["transition", ...LATE],
  ["remove"],
];

describe.each([
  ["30 s", 30 * SECOND],
  ["a day", DAY],
])("after the clock was set back by %s", (_, ms) => {
  it.each(changes)("accepts %s %s at once", async (operation, ...args) => {
    const { location } = await setBack(ms);
    expect((await location.run(operation, "t1", ...args))[0]).toBe("OK");
    expect((await location.run("create", "t2"))[0]).toBe("OK");
  });

  it("renews a lease at once", async () => {
    const { location } = await setBack(ms);
    expect((await location.run("heartbeat", "t1"))[0]).toBe("OK");
  });

  it("compares NOTAFTER with the clock itself", async () => {
    for (const [operation, ...args] of [...changes, ["heartbeat"]] as typeof changes) {
      const { location } = await setBack(ms);
      const until = (notAfter: number) => location.run(operation, "t1", ...args, "NOTAFTER", notAfter);
      expect((await unchanged(location, () => until(location.nowMs - 1)))[0]).toBe("EXPIRED");
      expect((await until(location.nowMs))[0]).toBe("OK");
    }
  });

  it("dates a new entity by the clock itself, whatever was removed before", async () => {
    const { location } = await setBack(0);
    await location.ok("remove", "t1");
    location.pass(-ms);
    for (const id of ["t1", "t2"]) {
      expect((await location.ok("create", id)).timestamp).toBe(iso(location.nowMs));
      await location.ok("transition", id, "working");
      expect(await location.score("due", id)).toBe(String(location.nowMs + 30 * SECOND));
    }
  });

  it("fires no timer that has not run its length, and fires it after that", async () => {
    const { location } = await setBack(ms);
    expect((await location.run("expire", "t1"))[0]).toBe("NOTDUE");
    const due = Number(await location.score("due", "t1"));
    expect(due - location.nowMs).toBeLessThanOrEqual(30 * SECOND + MINUTE);
    location.pass(due - location.nowMs - 1);
    expect((await location.run("expire", "t1"))[0]).toBe("NOTDUE");
    location.pass(1);
    expect((await location.ok("expire", "t1")).reason).toMatch(/^lease of 30s expired at /);
  });
});

it.each([0, 1, 30 * SECOND, 60 * SECOND])(
  "never dates a change before the entity's last change or heartbeat if the clock is %i ms behind it",
  async (ms) => {
    const { location, entered, renewed } = await setBack(ms);
    const patched = await location.ok("patch", "t1", "SET", "n", "1");
    expect([patched.timestamp, patched.since]).toEqual([iso(renewed), iso(entered)]);
    await location.run("heartbeat", "t1");
    expect(await location.score("due", "t1")).toBe(String(renewed + 30 * SECOND));
    expect((await location.hash("t1"))["times:ms"]).toBe(`${renewed} ${entered} ${renewed}`);
    const lost = await location.ok("transition", "t1", "lost", "SET", "error", "1");
    expect([lost.timestamp, lost.since, lost.lostAt]).toEqual(Array(3).fill(iso(renewed)));
    expect(await location.score("index", "t1")).toBe(String(2e13 + renewed));
    expect((await location.ok("remove", "t1")).timestamp).toBe(iso(renewed));
  },
);

describe.each([
  ["60,001 ms", 60 * SECOND + 1],
  ["a day", DAY],
])("if an entity is dated %s ahead, the clock was wrong, and", (_, ms) => {
  it.each([[], ["SET", "text", JSON.stringify("x".repeat(100))]])(
    "a patch follows the clock, and corrects the time of entry with index and due",
    async (...fields) => {
      const { location } = await setBack(ms, ...fields);
      const { nowMs } = location;
      const patched = await location.ok("patch", "t1", "SET", "n", "1");
      expect([patched.timestamp, patched.since]).toEqual([iso(nowMs), iso(nowMs)]);
      expect((await location.hash("t1"))["times:ms"]).toBe(`${nowMs} ${nowMs} ${nowMs}`);
      expect(await location.score("index", "t1")).toBe(String(1e13 + nowMs));
      expect(await location.score("due", "t1")).toBe(String(nowMs + 30 * SECOND));
    },
  );

  it("a heartbeat and an expiry correct the same", async () => {
    for (const [operation, outcome] of [
      ["heartbeat", "OK"],
      ["expire", "NOTDUE"],
    ] as const) {
      const { location } = await setBack(ms);
      const { nowMs } = location;
      const [answer, document] = await location.run(operation, "t1");
      expect([answer, JSON.parse(String(document)).version]).toEqual([outcome, 2]);
      expect((await location.hash("t1"))["times:ms"]).toBe(`${nowMs} ${nowMs} ${nowMs}`);
      expect(await location.score("index", "t1")).toBe(String(1e13 + nowMs));
      expect(await location.score("due", "t1")).toBe(String(nowMs + 30 * SECOND));
    }
  });

  it("a transition and a removal follow the clock", async () => {
    const { location } = await setBack(ms);
    const { nowMs } = location;
    const waiting = await location.ok("transition", "t1", "waiting");
    expect([waiting.timestamp, waiting.since]).toEqual([iso(nowMs), iso(nowMs)]);
    expect(await location.score("index", "t1")).toBe(String(nowMs));
    location.pass(-ms);
    const removed = await location.ok("remove", "t1");
    expect([removed.timestamp, removed.since]).toEqual(Array(2).fill(iso(location.nowMs)));
  });

  it("a call with DRYRUN corrects nothing", async () => {
    const { location } = await setBack(ms);
    for (const [operation, ...args] of [...changes, ["heartbeat"], ["expire"]] as typeof changes) {
      await unchanged(location, () => location.run(operation, "t1", ...args, "DRYRUN"));
    }
    await unchanged(location, () => location.run("get", "t1"));
  });

  it("a rejected call corrects nothing", async () => {
    const { location } = await setBack(ms);
    for (const [outcome, operation, ...args] of [
      ["CONFLICT", "patch", "SET", "n", "1", "IFVERSION", "9"],
      ["CONFLICT", "heartbeat", "IFVERSION", "9"],
      ["ILLEGAL", "transition", "held"],
      ["MISSING", "transition", "lost"],
    ] as const) {
      expect((await unchanged(location, () => location.run(operation, "t1", ...args)))[0]).toBe(outcome);
    }
  });
});

it("keeps the time of entry if only the last change is dated ahead", async () => {
  const location = await clocked(task);
  await location.ok("create", "t1");
  await location.ok("transition", "t1", "working");
  const entered = location.nowMs;
  location.pass(DAY);
  await location.ok("patch", "t1", "SET", "n", "1");
  location.pass(10 * SECOND - DAY);
  const patched = await location.ok("patch", "t1", "SET", "n", "2");
  expect([patched.timestamp, patched.since]).toEqual([iso(location.nowMs), iso(entered)]);
  expect(await location.score("index", "t1")).toBe(String(1e13 + entered));
  expect(await location.score("due", "t1")).toBe(String(entered + 30 * SECOND));
});

it("counts a lease from the last heartbeat of the stay, and not from a later change", async () => {
  const { location, renewed } = await setBack(0);
  location.pass(10 * SECOND);
  await location.ok("patch", "t1", "SET", "n", "1");
  location.pass(20 * SECOND);
  expect((await location.ok("expire", "t1")).reason).toBe(
    `lease of 30s expired at ${iso(renewed + 30 * SECOND)}, last renewed at ${iso(renewed)}`,
  );
});

it("keeps positions in order and retries recognised over clock steps of a day, back and forth", async () => {
  const location = await clocked(task);
  await location.ok("create", "t1");
  const positions: string[] = [await location.end()];
  for (const [n, step] of [-DAY, 2 * DAY, -DAY, -DAY, 30 * SECOND, -MINUTE, DAY].entries()) {
    location.pass(step);
    const seen = String(positions.at(-1));
    const [outcome, , position] = await location.run("patch", "t1", "SET", "n", n, ...op(`o${n}`, seen));
    expect(outcome).toBe("OK");
    expect((await location.run("patch", "t1", "SET", "n", n, ...op(`o${n}`, seen)))[0]).toBe("REPLAYED");
    positions.push(String(position));
  }
  const key = (position: string) =>
    position
      .split("-")
      .map((part) => part.padStart(15, "0"))
      .join("-");
  expect(positions.map(key)).toEqual([...new Set(positions.map(key))].sort());
});

it("writes times as JavaScript does, leap days and centuries included", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  const moments = [0, 1, 999, 86_399_999, 86_400_000];
  for (const year of [1970, 1972, 1999, 2000, 2023, 2024, 2026, 2100, 2199, 2285]) {
    for (const [month, day] of [
      [1, 1],
      [2, 28],
      [2, 29],
      [3, 1],
      [12, 31],
    ] as const) {
      moments.push(Date.UTC(year, month - 1, day), Date.UTC(year, month - 1, day, 23, 59, 59, 999));
    }
  }
  for (let moment = 0; moment < 9_999_999_999_999; moment += 97_654_321_987) moments.push(moment);
  for (const moment of moments) {
    await calls.valkey.hset(calls.key("id:p1"), "times:ms", `${moment} ${moment} 0`);
    const [, document] = await calls.run("create", "p1");
    const iso = new Date(moment).toISOString();
    expect(JSON.parse(String(document))).toMatchObject({ timestamp: iso, since: iso });
  }
});
