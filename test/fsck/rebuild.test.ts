import type { Valkey } from "iovalkey";
import { describe, expect, it } from "vitest";
import { partitionAt } from "../../src/fsck/partition.js";
import { repairEntity } from "../../src/fsck/repair.js";
import { readStoredEntity } from "../../src/fsck/stored-entity.js";
import { admin, connection } from "../helpers/calls.js";
import { type TicketFixture, ticketFixture } from "../helpers/fsck.js";
import { keyspace } from "../helpers/keyspace.js";

/** Creates tickets. The ticket a2 was removed and created again, and has 40 versions, 32 of them in its log. */
async function withHistory(): Promise<{
  fixture: TicketFixture;
  valkey: Valkey;
  log: string;
  events: string;
}> {
  const fixture = await ticketFixture();
  await fixture.tickets.remove("a2");
  await fixture.tickets.create("a2", { text: "again" });
  for (let n = 2; n <= 40; n++) await fixture.tickets.patch("a2", { set: { n } });
  return {
    fixture,
    valkey: await admin(),
    log: fixture.key("a2", "log:a2"),
    events: fixture.key("a2", "events"),
  };
}

/** Returns the stream entry of a version of the current a2. */
async function entryOf(valkey: Valkey, events: string, version: number): Promise<string> {
  for (const [entry, [, document = ""]] of await valkey.xrevrange(events, "+", "-")) {
    const change = JSON.parse(document);
    if (change.id === "a2" && change.version === version) return entry;
  }
  throw new Error(`The stream has no version ${version} of a2`);
}

/** Removes from each record what a rebuilt one cannot have: the fields that the change set. */
async function dropFields(valkey: Valkey, log: string): Promise<void> {
  for (const [at, element] of (await valkey.lrange(log, 0, -1)).entries()) {
    if (at % 2 === 1) continue;
    const { set: _, unset: __, ...record } = JSON.parse(element);
    await valkey.lset(log, at, JSON.stringify(record));
  }
}

describe("a missing log is rebuilt from the event log", () => {
  it("with all but the fields of each change, and nothing else changes", async () => {
    const { fixture, valkey, log } = await withHistory();
    expect(await valkey.llen(log)).toBe(64);
    await dropFields(valkey, log);
    const before = await keyspace(valkey, fixture.latchkey.namespace);
    await valkey.del(log);
    expect(await fixture.results()).toEqual(["log-missing a2 repairable"]);
    expect(await fixture.results({ repair: true })).toEqual(["log-missing a2 repaired"]);
    expect(await keyspace(valkey, fixture.latchkey.namespace)).toEqual({
      ...before,
      "keys in all": expect.anything(),
    });
  });

  it("if only older entries were trimmed", async () => {
    const { fixture, valkey, log, events } = await withHistory();
    await dropFields(valkey, log);
    const before = await valkey.lrange(log, 0, -1);
    await valkey.del(log);
    await valkey.xtrim(events, "MINID", await entryOf(valkey, events, 9));
    expect(await fixture.results({ repair: true })).toEqual(["log-missing a2 repaired"]);
    expect(await valkey.lrange(log, 0, -1)).toEqual(before);
  });

  it("without the changes of an earlier entity with this id", async () => {
    const fixture = await ticketFixture();
    await fixture.tickets.remove("a2");
    await fixture.tickets.create("a2");
    const valkey = await admin();
    const before = await valkey.lrange(fixture.key("a2", "log:a2"), 0, -1);
    await valkey.del(fixture.key("a2", "log:a2"));
    expect(await fixture.results({ repair: true })).toEqual(["log-missing a2 repaired"]);
    expect(await valkey.lrange(fixture.key("a2", "log:a2"), 0, -1)).toEqual(before);
    expect(before).toHaveLength(2);
  });
});

describe("a missing log is not rebuilt if", () => {
  it.each<[string, (valkey: Valkey, events: string, fixture: TicketFixture) => Promise<unknown>, string[]]>([
    [
      "its oldest change was trimmed",
      async (valkey, events) => valkey.xtrim(events, "MINID", await entryOf(valkey, events, 10)),
      [],
    ],
    [
      "a change in the middle is missing",
      async (valkey, events) => valkey.xdel(events, await entryOf(valkey, events, 20)),
      ["event-gap a2 manual"],
    ],
    [
      "the last change is missing",
      async (valkey, events) => valkey.xdel(events, await entryOf(valkey, events, 40)),
      ["event-lost a2 manual"],
    ],
    [
      "the entity differs from the last change",
      (valkey, _, fixture) => valkey.hset(fixture.key("a2", "id:a2"), "n", "41"),
      ["event-differs a2 manual"],
    ],
    [
      "the installed machine is not readable",
      (valkey, _, fixture) => valkey.hdel(fixture.key("", "machine", 0), "definition"),
      ["machine-broken  manual"],
    ],
  ])("%s", async (_, damage, others) => {
    const { fixture, valkey, log, events } = await withHistory();
    await valkey.del(log);
    await damage(valkey, events, fixture);
    expect(await fixture.results({ repair: true })).toEqual([...others, "log-missing a2 manual"].sort());
    expect(await valkey.exists(log)).toBe(0);
  });
});

it.each<[string, (fixture: TicketFixture, valkey: Valkey) => Promise<unknown>]>([
  ["was patched", (fixture) => fixture.tickets.patch("a2", { set: { n: 13 } })],
  ["was removed", (fixture) => fixture.tickets.remove("a2")],
  ["has another version", (fixture, valkey) => valkey.hincrby(fixture.key("a2", "id:a2"), "version", 1)],
])("no log is rebuilt for an entity that %s after it was read", async (_, change) => {
  const { fixture, valkey, log } = await withHistory();
  const partition = partitionAt(
    { namespace: fixture.latchkey.namespace, partitions: 1, machine: "ticket" },
    0,
  );
  const texts = await valkey.lrange(log, 0, -1);
  await valkey.del(log);
  const entity = await readStoredEntity(valkey, partition, "a2");
  await change(fixture, valkey);
  const before = await keyspace(valkey, fixture.latchkey.namespace);
  expect(await repairEntity(valkey, partition, entity, { log: texts })).toBe(false);
  expect(await keyspace(valkey, fixture.latchkey.namespace)).toEqual({
    ...before,
    "keys in all": expect.anything(),
  });
});

it("a user without permission to write logs gets an error, and no log is created", async () => {
  const { fixture, valkey, log } = await withHistory();
  const name = `mute-${fixture.latchkey.namespace}`;
  await valkey.call("ACL", "SETUSER", name, "reset", "on", ">secret", "~*", "+@all", "-rpush");
  await valkey.del(log);
  const restricted = await connection({ username: name, password: "secret" });
  await expect(fixture.fsck({ repair: true }, restricted)).rejects.toThrow("NOPERM rpush");
  expect(await valkey.exists(log)).toBe(0);
});
