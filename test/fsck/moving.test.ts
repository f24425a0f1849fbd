import { expect, it } from "vitest";
import { Random } from "../../faults/random.js";
import { defineMachine } from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { hands, meanwhile, patient, ticket } from "../helpers/fsck.js";

it.each([
  [1, 1],
  [2, 4],
])(
  "finds nothing while entities are created, moved, patched and removed all the time (seed %i)",
  async (seed, partitions) => {
    // So short a log that it is trimmed while it is read.
    const definition = defineMachine({ ...ticket, events: { keep: 300 } });
    const it = await patient(partitions, definition);
    const random = new Random(seed);
    const change = async (): Promise<void> => {
      const id = `b${random.below(60)}`;
      const { tickets } = it;
      const what = random.below(10);
      if (what < 2) await tickets.tryCreate(id, { n: random.below(9) });
      else if (what < 3) await tickets.tryRemove(id);
      else if (what < 5) await tickets.tryPatch(id, { set: { n: random.below(9) } });
      else await tickets.tryTransition(id, random.of(["open", "held", "leased", "shut"]));
    };
    const movers = meanwhile(() => Promise.all(Array.from({ length: 20 }, change)));
    for (let round = 0; round < 8; round++) {
      const { findings } = await it.fsck({ deep: round % 2 === 0, repair: round > 5 });
      expect(findings).toEqual([]);
    }
    expect(await movers.stop()).toBeGreaterThan(10);
    expect((await it.fsck({ deep: true, strict: true })).findings).toEqual([]);
  },
);

it("mends an entity that moves all the time", async () => {
  const it = await patient();
  const valkey = await hands();
  const movers = meanwhile((round) => it.tickets.tryPatch("a2", { set: { round } }));
  for (let round = 0; round < 5; round++) {
    await valkey.zrem(it.key("a2", "index"), "a2");
    expect(await it.found({ repair: true })).toEqual(["index-missing a2 mended"]);
  }
  await movers.stop();
  expect(await it.found()).toEqual([]);
});

it("walks through thousands of entities and finds the few that are damaged", async () => {
  const it = await patient(4);
  const ids = Array.from({ length: 3_000 }, (_, n) => `c${n}`);
  for (let at = 0; at < ids.length; at += 250) {
    await Promise.all(ids.slice(at, at + 250).map((id) => it.tickets.create(id)));
  }
  const valkey = await hands();
  const lost = ids.filter((_, n) => n % 500 === 7);
  for (const id of lost) await valkey.zrem(it.key(id, "index"), id);
  const progress: number[] = [];
  const { findings, checked } = await it.fsck({ onProgress: ({ entities }) => progress.push(entities) });
  expect(findings.map(({ kind, id }) => [kind, id]).sort()).toEqual(
    lost.map((id) => ["index-missing", id]).sort(),
  );
  expect(checked).toEqual({ partitions: 4, entities: 3_004, events: 3_009 });
  expect(progress.length).toBeGreaterThan(30);
  expect((await it.fsck({ repair: true })).findings.every(({ result }) => result === "mended")).toBe(true);
  expect(await it.found()).toEqual([]);
});

it("checks long logs page by page", async () => {
  const it = await patient(1, defineMachine({ ...ticket, history: 200 }));
  for (let n = 0; n < 250; n++) await it.tickets.patch("a1", { set: { n } });
  expect(await it.found()).toEqual([]);
  await (await hands()).lset(it.key("a1", "log:a1"), 20, "no JSON");
  expect(await it.found()).toEqual(["log-broken a1 left"]);
});

it("stops between two steps when it is aborted", async () => {
  const it = await patient();
  const stop = new AbortController();
  const run = it.fsck({ signal: stop.signal, onProgress: () => stop.abort() });
  await expect(run).rejects.toThrow(/abort/);
});

it("does not miss events that were trimmed away, and takes no log for an orphan's that may be a last trace", async () => {
  const it = await patient();
  const valkey = await hands();
  await valkey.xtrim(it.key("a1", "events"), "MAXLEN", 2);
  expect(await it.found()).toEqual([]);
  await valkey.rpush(it.key("gone", "log:gone"), "{}");
  await valkey.xtrim(it.key("a1", "events"), "MAXLEN", 0);
  expect(await it.found({ deep: true, repair: true })).toEqual(["log-orphan gone left"]);
});

it("what an older version of the machine may explain is damage only with strict", async () => {
  const it = await patient();
  const { tickets, latchkey } = it;
  for (let n = 0; n < 7; n++) await tickets.patch("a2", { set: { n } });
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
  const found = ["due-extra a1", "due-missing a2", "log-long a2"];
  expect(await it.found({ repair: true })).toEqual(found.map((one) => `${one} notice`));
  expect(await it.found({ strict: true })).toEqual(found.map((one) => `${one} mendable`));
  expect(await it.found({ strict: true, repair: true })).toEqual(found.map((one) => `${one} mended`));
  expect(await it.found({ strict: true })).toEqual([]);
});

it("says of a lease that an older version of the machine promised for longer what strict would cost", async () => {
  const it = await patient();
  const { latchkey } = it;
  const { leased } = ticket.states;
  await latchkey.apply({
    ...ticket,
    version: 2,
    states: { ...ticket.states, leased: { ...leased, lease: { for: "1m", to: "open" } } },
  });
  const due = async () => Number(await (await admin()).zscore(it.key("a3", "due"), "a3"));
  const before = await due();
  const { findings } = await it.fsck({ repair: true });
  expect(findings).toMatchObject([{ kind: "due-time", id: "a3", result: "notice" }]);
  expect(findings[0]?.message).toMatch(/present version alone .* a holder may reckon with the later time$/);
  expect(await due()).toBe(before);
  expect(await it.found({ strict: true, repair: true })).toEqual(["due-time a3 mended"]);
  expect(await due()).toBe(before - 9 * 60_000);
});
