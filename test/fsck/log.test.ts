import { describe, expect, it } from "vitest";
import { type DoctorContext, hands, patient, ticket } from "../helpers/fsck.js";

const GARBAGE = "no change at all";

/** Tickets that keep a long log, a1's of so many versions. */
async function longLog(versions: number): Promise<DoctorContext> {
  const it = await patient(1, { ...ticket, history: 100 });
  for (let n = 2; n <= versions; n++) await it.tickets.patch("a1", { set: { n } });
  return it;
}

describe("an entry of a log that is no change", () => {
  it.each(["rpush", "lpush"] as const)("is told of as such where it was added with %s", async (push) => {
    const it = await patient();
    await (await hands())[push](it.key("a3", "log:a3"), GARBAGE);
    const { findings } = await it.fsck();
    expect(findings).toEqual([expect.objectContaining({ kind: "log-broken", id: "a3", result: "left" })]);
    expect(findings[0]?.message).toBe(`entry ${push === "rpush" ? 3 : 1} of 3 is no change of it`);
  });

  it("is told of where the last change differs from the entity too", async () => {
    const it = await patient();
    const valkey = await hands();
    await valkey.lpush(it.key("a2", "log:a2"), GARBAGE);
    await valkey.hset(it.key("a2", "id:a2"), "n", "7");
    expect(await it.found()).toEqual(["log-broken a2 left", "log-differs a2 left"]);
  });

  it("does not make a gap of what stands before it in a long log", async () => {
    const it = await longLog(40);
    await (await hands()).rpush(it.key("a1", "log:a1"), GARBAGE);
    expect(await it.found()).toEqual(["log-broken a1 left"]);
  });

  it("is told of in the older part of a long log", async () => {
    const it = await longLog(40);
    await (await hands()).lset(it.key("a1", "log:a1"), 3, GARBAGE);
    const { findings } = await it.fsck();
    expect(findings.map(({ kind, message }) => [kind, message])).toEqual([
      ["log-broken", "entry 4 of 40 is no change of it"],
    ]);
  });

  it("keeps a log that is too long from being cut: a change might go instead of it", async () => {
    const it = await patient();
    const valkey = await hands();
    for (let n = 0; n < 8; n++) await it.tickets.patch("a1", { set: { n } });
    await valkey.rpush(it.key("a1", "log:a1"), GARBAGE);
    const before = await valkey.lrange(it.key("a1", "log:a1"), 0, -1);
    expect(await it.found({ repair: true })).toEqual(["log-broken a1 left", "log-long a1 left"]);
    expect(await valkey.lrange(it.key("a1", "log:a1"), 0, -1)).toEqual(before);
  });
});

it.each(["index", "due"])("a score in %s that is no time is told as it is", async (name) => {
  const it = await patient();
  await (await hands()).zadd(it.key("a1", name), "inf", "a1");
  const { findings } = await it.fsck();
  expect(findings).toHaveLength(1);
  expect(findings[0]?.message).toMatch(/\binf\b/);
  expect(findings[0]?.message).not.toContain("NaN");
});
