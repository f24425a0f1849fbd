import { expect, it } from "vitest";
import { type Calls, machine } from "../helpers/calls.js";
import { parcel } from "../helpers/parcel.js";

const FUTURE = 4102444800123; // 2100-01-01T00:00:00.123Z

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

it("never goes behind the entity's last change", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  const late = "2100-01-01T00:00:00.123Z";
  await calls.valkey.hset(calls.key("id:p1"), "at", String(FUTURE));
  const patched = await calls.ok("patch", "p1", "SET", "n", "1");
  expect(patched.timestamp).toBe(late);
  expect(await calls.ok("transition", "p1", "sent")).toMatchObject({
    timestamp: late,
    since: late,
    sentAt: late,
  });
  expect((await calls.hash("p1")).at).toBe(String(FUTURE));
  expect((await calls.ok("remove", "p1")).timestamp).toBe(late);
});

it("judges NOTAFTER by that same clock", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1");
  await calls.valkey.hset(calls.key("id:p1"), "at", String(FUTURE));
  expect((await calls.run("patch", "p1", "SET", "n", "1", "NOTAFTER", String(FUTURE - 1)))[0]).toBe(
    "EXPIRED",
  );
  expect((await calls.run("patch", "p1", "SET", "n", "1", "NOTAFTER", String(FUTURE)))[0]).toBe("OK");
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
    await calls.valkey.hset(calls.key("id:p1"), { at: String(moment), since: String(moment) });
    const [, document] = await calls.run("create", "p1");
    const iso = new Date(moment).toISOString();
    expect(JSON.parse(String(document))).toMatchObject({ timestamp: iso, since: iso });
  }
});
