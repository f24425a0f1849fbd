import { expect, it } from "vitest";
import { Random } from "../../faults/random.js";
import { defineMachine } from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { Clocked } from "../helpers/clock.js";
import { meanwhile, ticket, ticketFixture } from "../helpers/fsck.js";

it.each([
  [1, 1],
  [2, 4],
])(
  "finds nothing while entities are created, moved, patched and removed continuously (seed %i)",
  async (seed, partitions) => {
    // The log is so short that it is trimmed while it is read.
    const definition = defineMachine({ ...ticket, events: { keep: 300 } });
    const fixture = await ticketFixture(partitions, definition);
    const random = new Random(seed);
    const change = async (): Promise<void> => {
      const id = `b${random.below(60)}`;
      const { tickets } = fixture;
      const what = random.below(10);
      if (what < 2) await tickets.tryCreate(id, { n: random.below(9) });
      else if (what < 3) await tickets.tryRemove(id);
      else if (what < 5) await tickets.tryPatch(id, { set: { n: random.below(9) } });
      else await tickets.tryTransition(id, random.of(["open", "held", "leased", "shut"]));
    };
    const movers = meanwhile(() => Promise.all(Array.from({ length: 20 }, change)));
    for (let round = 0; round < 8; round++) {
      const { findings } = await fixture.fsck({ deep: round % 2 === 0, repair: round > 5 });
      expect(findings).toEqual([]);
    }
    expect(await movers.stop()).toBeGreaterThan(10);
    expect((await fixture.fsck({ deep: true, strict: true })).findings).toEqual([]);
  },
);

it("repairs an entity that changes continuously", async () => {
  const fixture = await ticketFixture();
  const valkey = await admin();
  const movers = meanwhile((round) => fixture.tickets.tryPatch("a2", { set: { round } }));
  for (let round = 0; round < 5; round++) {
    await valkey.zrem(fixture.key("a2", "index"), "a2");
    expect(await fixture.results({ repair: true })).toEqual(["index-missing a2 repaired"]);
  }
  await movers.stop();
  expect(await fixture.results()).toEqual([]);
});

it("finds the few damaged entities among thousands", async () => {
  const fixture = await ticketFixture(4);
  const ids = Array.from({ length: 3_000 }, (_, n) => `c${n}`);
  for (let at = 0; at < ids.length; at += 250) {
    await Promise.all(ids.slice(at, at + 250).map((id) => fixture.tickets.create(id)));
  }
  const valkey = await admin();
  const lost = ids.filter((_, n) => n % 500 === 7);
  for (const id of lost) await valkey.zrem(fixture.key(id, "index"), id);
  const progress: number[] = [];
  const { findings, checked } = await fixture.fsck({ onProgress: ({ entities }) => progress.push(entities) });
  expect(findings.map(({ kind, id }) => [kind, id]).sort()).toEqual(
    lost.map((id) => ["index-missing", id]).sort(),
  );
  expect(checked).toEqual({ partitions: 4, skipped: 0, entities: 3_004, events: 3_009 });
  expect(progress.length).toBeGreaterThan(30);
  expect((await fixture.fsck({ repair: true })).findings.every(({ result }) => result === "repaired")).toBe(
    true,
  );
  expect(await fixture.results()).toEqual([]);
});

it("checks long logs page by page", async () => {
  const fixture = await ticketFixture(1, defineMachine({ ...ticket, history: 200 }));
  for (let n = 0; n < 250; n++) await fixture.tickets.patch("a1", { set: { n } });
  expect(await fixture.results()).toEqual([]);
  await (await admin()).lset(fixture.key("a1", "log:a1"), 20, "no JSON");
  expect(await fixture.results()).toEqual(["log-broken a1 manual"]);
});

it("stops between two steps when it is aborted", async () => {
  const fixture = await ticketFixture();
  const stop = new AbortController();
  const run = fixture.fsck({ signal: stop.signal, onProgress: () => stop.abort() });
  await expect(run).rejects.toThrow(/abort/);
});

it("ignores trimmed events, and keeps an orphaned log that may be the only record", async () => {
  const fixture = await ticketFixture();
  const valkey = await admin();
  await valkey.xtrim(fixture.key("a1", "events"), "MAXLEN", 2);
  expect(await fixture.results()).toEqual([]);
  await valkey.rpush(fixture.key("gone", "log:gone"), "{}");
  await valkey.xtrim(fixture.key("a1", "events"), "MAXLEN", 0);
  expect(await fixture.results({ deep: true, repair: true })).toEqual(["log-orphan gone manual"]);
});

it("reports leftovers of an older machine version as damage only with strict", async () => {
  const fixture = await ticketFixture();
  const { latchkey } = fixture;
  const { held, open, ...states } = ticket.states;
  await latchkey.apply({
    ...ticket,
    version: 2,
    history: 4,
    states: {
      ...states,
      open: { to: open.to ?? [] },
      held: { ...held, timeout: { after: "5m", to: "shut" } },
    },
  });
  const findings = ["due-extra a1", "due-missing a2"];
  expect(await fixture.results({ repair: true })).toEqual(findings.map((one) => `${one} notice`));
  expect(await fixture.results({ strict: true })).toEqual(findings.map((one) => `${one} repairable`));
  expect(await fixture.results({ strict: true, repair: true })).toEqual(
    findings.map((one) => `${one} repaired`),
  );
  expect(await fixture.results({ strict: true })).toEqual([]);
});

it("explains that strict shortens a lease that an older machine version made longer", async () => {
  const fixture = await ticketFixture();
  const { latchkey } = fixture;
  const { leased } = ticket.states;
  await latchkey.apply({
    ...ticket,
    version: 2,
    states: { ...ticket.states, leased: { ...leased, lease: { for: "1m", to: "open" } } },
  });
  const due = async () => Number(await (await admin()).zscore(fixture.key("a3", "due"), "a3"));
  const before = await due();
  const { findings } = await fixture.fsck({ repair: true });
  expect(findings).toMatchObject([{ kind: "due-time", id: "a3", result: "notice" }]);
  expect(findings[0]?.message).toMatch(/current version sets .* a holder may rely on the later time$/);
  expect(await due()).toBe(before);
  expect(await fixture.results({ strict: true, repair: true })).toEqual(["due-time a3 repaired"]);
  expect(await due()).toBe(before - 9 * 60_000);
});

it("finds an entity that is dated ahead of the server's clock, and repairs its times, index entry and timer", async () => {
  const fixture = await ticketFixture();
  const { latchkey, tickets } = fixture;
  const ahead = new Clocked(await admin(), "ticket", latchkey.namespace);
  ahead.nowMs = Date.now() + 24 * 3_600_000;
  await ahead.ok("create", "late");
  await ahead.ok("transition", "late", "leased");
  expect(await fixture.results()).toEqual(["dated-ahead late repairable"]);
  const beganMs = Date.now();
  expect(await fixture.results({ repair: true })).toEqual(["dated-ahead late repaired"]);
  const late = await tickets.get("late");
  for (const time of [late?.timestamp, late?.since]) {
    expect(Date.parse(String(time))).toBeGreaterThanOrEqual(beganMs - 1);
    expect(Date.parse(String(time))).toBeLessThanOrEqual(Date.now() + 1);
  }
  expect(Date.parse(String(late?.dueAt)) - Date.parse(String(late?.since))).toBe(10 * 60_000);
  expect(await fixture.results({ strict: true })).toEqual([]);
});
