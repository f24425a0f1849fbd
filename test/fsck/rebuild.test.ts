import type { Valkey } from "iovalkey";
import { describe, expect, it } from "vitest";
import { partOf } from "../../src/fsck/entity-places.js";
import { lookAt } from "../../src/fsck/look.js";
import { mendEntity } from "../../src/fsck/mend.js";
import { connection } from "../helpers/calls.js";
import { type DoctorContext, hands, patient } from "../helpers/fsck.js";
import { keyspace } from "../helpers/keyspace.js";

/** Tickets, of which a2 has lived twice and is at version 12 of its second life: its log holds 8. */
async function withHistory(): Promise<{ it: DoctorContext; valkey: Valkey; log: string; events: string }> {
  const it = await patient();
  await it.tickets.remove("a2");
  await it.tickets.create("a2", { text: "again" });
  for (let n = 2; n <= 12; n++) await it.tickets.patch("a2", { set: { n } });
  return { it, valkey: await hands(), log: it.key("a2", "log:a2"), events: it.key("a2", "events") };
}

/** The stream entry of a version of a2's present life. */
async function entryOf(valkey: Valkey, events: string, version: number): Promise<string> {
  for (const [entry, [, document = ""]] of await valkey.xrevrange(events, "+", "-")) {
    const change = JSON.parse(document);
    if (change.id === "a2" && change.version === version) return entry;
  }
  throw new Error(`The stream has no version ${version} of a2`);
}

describe("a log that is gone is rebuilt from the event log", () => {
  it("as it was, to the byte, and nothing else is changed", async () => {
    const { it, valkey, log } = await withHistory();
    const before = await keyspace(valkey, it.latchkey.namespace);
    expect(await valkey.llen(log)).toBe(8);
    await valkey.del(log);
    expect(await it.found()).toEqual(["log-missing a2 mendable"]);
    expect(await it.found({ repair: true })).toEqual(["log-missing a2 mended"]);
    expect(await keyspace(valkey, it.latchkey.namespace)).toEqual({
      ...before,
      "keys in all": expect.anything(),
    });
  });

  it("where what was trimmed away lies before what belongs there", async () => {
    const { it, valkey, log, events } = await withHistory();
    const before = await valkey.lrange(log, 0, -1);
    await valkey.del(log);
    await valkey.xtrim(events, "MINID", await entryOf(valkey, events, 5));
    expect(await it.found({ repair: true })).toEqual(["log-missing a2 mended"]);
    expect(await valkey.lrange(log, 0, -1)).toEqual(before);
  });

  it("of a life that is shorter than the history: with nothing of the life before", async () => {
    const it = await patient();
    await it.tickets.remove("a2");
    await it.tickets.create("a2");
    const valkey = await hands();
    const before = await valkey.lrange(it.key("a2", "log:a2"), 0, -1);
    await valkey.del(it.key("a2", "log:a2"));
    expect(await it.found({ repair: true })).toEqual(["log-missing a2 mended"]);
    expect(await valkey.lrange(it.key("a2", "log:a2"), 0, -1)).toEqual(before);
    expect(before).toHaveLength(1);
  });
});

describe("a log that is gone is left where", () => {
  it.each<[string, (valkey: Valkey, events: string, it: DoctorContext) => Promise<unknown>, string[]]>([
    [
      "the oldest change that belongs there was trimmed away",
      async (valkey, events) => valkey.xtrim(events, "MINID", await entryOf(valkey, events, 6)),
      [],
    ],
    [
      "a change in the middle is gone",
      async (valkey, events) => valkey.xdel(events, await entryOf(valkey, events, 9)),
      ["event-gap a2 left"],
    ],
    [
      "the last change is gone",
      async (valkey, events) => valkey.xdel(events, await entryOf(valkey, events, 12)),
      ["event-lost a2 left"],
    ],
    [
      "the entity is not what the last change made it",
      (valkey, _, it) => valkey.hset(it.key("a2", "id:a2"), "n", "13"),
      [],
    ],
    [
      "the machine that is installed can't be read",
      (valkey, _, it) => valkey.hdel(it.key("", "machine", 0), "definition"),
      ["machine-broken  left"],
    ],
  ])("%s", async (_, damage, others) => {
    const { it, valkey, log, events } = await withHistory();
    await valkey.del(log);
    await damage(valkey, events, it);
    expect(await it.found({ repair: true })).toEqual([...others, "log-missing a2 left"].sort());
    expect(await valkey.exists(log)).toBe(0);
  });
});

it.each<[string, (it: DoctorContext, valkey: Valkey) => Promise<unknown>]>([
  ["was patched", (it) => it.tickets.patch("a2", { set: { n: 13 } })],
  ["was removed", (it) => it.tickets.remove("a2")],
  ["has another version", (it, valkey) => valkey.hincrby(it.key("a2", "id:a2"), "version", 1)],
])("no log is rebuilt of an entity that %s since the look at it", async (_, change) => {
  const { it, valkey, log } = await withHistory();
  const part = partOf({ namespace: it.latchkey.namespace, partitions: 1, machine: "ticket" }, 0);
  const texts = await valkey.lrange(log, 0, -1);
  await valkey.del(log);
  const look = await lookAt(valkey, part, "a2");
  await change(it, valkey);
  const before = await keyspace(valkey, it.latchkey.namespace);
  expect(await mendEntity(valkey, part, look, { log: texts })).toBe(false);
  expect(await keyspace(valkey, it.latchkey.namespace)).toEqual({
    ...before,
    "keys in all": expect.anything(),
  });
});

it("a user without the right to write logs is told so, and no log is begun", async () => {
  const { it, valkey, log } = await withHistory();
  const name = `mute-${it.latchkey.namespace}`;
  await valkey.call("ACL", "SETUSER", name, "reset", "on", ">secret", "~*", "+@all", "-rpush");
  await valkey.del(log);
  const restricted = await connection({ username: name, password: "secret" });
  await expect(it.fsck({ repair: true }, restricted)).rejects.toThrow("NOPERM rpush");
  expect(await valkey.exists(log)).toBe(0);
});
