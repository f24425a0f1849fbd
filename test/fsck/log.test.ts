import { describe, expect, it } from "vitest";
import { admin } from "../helpers/calls.js";
import { type TicketFixture, ticket, ticketFixture } from "../helpers/fsck.js";

const GARBAGE = "no change at all";

/** Creates tickets with long logs; a1 has this many versions. */
async function longLog(versions: number): Promise<TicketFixture> {
  const fixture = await ticketFixture(1, { ...ticket, history: 100 });
  for (let n = 2; n <= versions; n++) await fixture.tickets.patch("a1", { set: { n } });
  return fixture;
}

describe("an entry of a log that is not a change", () => {
  it.each(["rpush", "lpush"] as const)("is reported if it was added with %s", async (push) => {
    const fixture = await ticketFixture();
    await (await admin())[push](fixture.key("a3", "log:a3"), GARBAGE, "");
    const { findings } = await fixture.fsck();
    expect(findings).toEqual([expect.objectContaining({ kind: "log-broken", id: "a3", result: "manual" })]);
    expect(findings[0]?.message).toBe(`entry ${push === "rpush" ? 3 : 1} of 3 is not a change`);
  });

  it("is reported together with a last change that differs from the entity", async () => {
    const fixture = await ticketFixture();
    const valkey = await admin();
    await valkey.lpush(fixture.key("a2", "log:a2"), "", GARBAGE);
    await valkey.hset(fixture.key("a2", "id:a2"), "version", "7");
    expect(await fixture.results()).toEqual([
      "event-lost a2 manual",
      "log-broken a2 manual",
      "log-differs a2 manual",
      "log-short a2 manual",
    ]);
  });

  it("does not make the changes before it in a long log appear as a gap", async () => {
    const fixture = await longLog(40);
    await (await admin()).rpush(fixture.key("a1", "log:a1"), GARBAGE, "");
    expect(await fixture.results()).toEqual(["log-broken a1 manual"]);
  });

  it("is reported in the older part of a long log", async () => {
    const fixture = await longLog(40);
    await (await admin()).lset(fixture.key("a1", "log:a1"), 6, GARBAGE);
    const { findings } = await fixture.fsck();
    expect(findings.map(({ kind, message }) => [kind, message])).toEqual([
      ["log-broken", "entry 4 of 40 is not a change"],
    ]);
  });
});

it.each(["index", "due"])("an infinite score in %s is reported as it is", async (name) => {
  const fixture = await ticketFixture();
  await (await admin()).zadd(fixture.key("a1", name), "inf", "a1");
  const { findings } = await fixture.fsck();
  expect(findings).toHaveLength(1);
  expect(findings[0]?.message).toMatch(/\binf\b/);
  expect(findings[0]?.message).not.toContain("NaN");
});
