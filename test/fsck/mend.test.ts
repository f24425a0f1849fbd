import type { Valkey } from "iovalkey";
import { expect, it } from "vitest";
import { type Part, partOf } from "../../src/fsck/entity-places.js";
import { lookAt } from "../../src/fsck/look.js";
import { mendEntity } from "../../src/fsck/mend.js";
import { type DoctorContext, hands, patient } from "../helpers/fsck.js";
import { keyspace } from "../helpers/keyspace.js";

const partOfPatient = ({ latchkey, tickets, partitions }: DoctorContext): Part =>
  partOf({ namespace: latchkey.namespace, partitions, machine: tickets.name }, 0);

it.each<[string, string, (valkey: Valkey, it: DoctorContext) => Promise<unknown>]>([
  ["its state", "a2", (_, { tickets }) => tickets.transition("a2", "open")],
  ["its place in the index", "a2", (valkey, it) => valkey.zadd(it.key("a2", "index"), 1, "a2")],
  ["its timer", "a1", (valkey, it) => valkey.zadd(it.key("a1", "due"), 1, "a1")],
  ["its being there", "a2", (_, { tickets }) => tickets.remove("a2")],
  ["its not being there", "a5", (_, { tickets }) => tickets.create("a5")],
  ["its not being there, by hand", "a5", (valkey, it) => valkey.hset(it.key("a5", "id:a5"), "x", 1)],
  ["its log's length", "a2", (_, { tickets }) => tickets.patch("a2", { set: { n: 3 } })],
])("nothing of an entity is mended where %s has changed since the look at it", async (_, id, change) => {
  const it = await patient();
  const valkey = await hands();
  const part = partOfPatient(it);
  const look = await lookAt(valkey, part, id);
  await change(valkey, it);
  const before = await keyspace(valkey, it.latchkey.namespace);
  expect(await mendEntity(valkey, part, look, { index: 7, due: 8, log: null })).toBe(false);
  expect(await keyspace(valkey, it.latchkey.namespace)).toEqual({
    ...before,
    "keys in all": expect.anything(),
  });
});

it("a patch in between does not keep index and timer from being mended: they follow from the state", async () => {
  const it = await patient();
  const valkey = await hands();
  const part = partOfPatient(it);
  const look = await lookAt(valkey, part, "a2");
  await it.tickets.patch("a2", { set: { n: 3 } });
  expect(await mendEntity(valkey, part, look, { index: 7, due: 8 })).toBe(true);
  expect(await valkey.zscore(it.key("a2", "index"), "a2")).toBe("7");
  expect(await valkey.zscore(it.key("a2", "due"), "a2")).toBe("8");
});

it("a look at what only tells, even with repair, writes nothing", async () => {
  const it = await patient();
  const valkey = await hands();
  await valkey.del(it.key("a1", "log:a1"));
  await valkey.xtrim(it.key("a1", "events"), "MAXLEN", 6);
  await valkey.hset(it.key("a2", "id:a2"), "n", "nan");
  const before = await keyspace(valkey, it.latchkey.namespace);
  expect(await it.found({ deep: true, repair: true })).toEqual([
    "hash-field a2 left",
    "log-differs a2 left",
    "log-missing a1 left",
  ]);
  expect(await keyspace(valkey, it.latchkey.namespace)).toEqual({
    ...before,
    "keys in all": expect.anything(),
  });
});

it("what it mends is what the scripts had written", async () => {
  const it = await patient();
  const valkey = await hands();
  const before = await keyspace(valkey, it.latchkey.namespace);
  await valkey.del(it.key("a1", "index"));
  await valkey.zadd(it.key("a1", "due"), 1, "a1", 2, "a2", 3, "a4", 4, "a5");
  await valkey.rpush(it.key("a5", "log:a5"), "x");
  expect(new Set((await it.fsck({ repair: true })).findings.map(({ result }) => result))).toEqual(
    new Set(["mended"]),
  );
  expect(await keyspace(valkey, it.latchkey.namespace)).toEqual({
    ...before,
    "keys in all": expect.anything(),
  });
});

it("an index entry whose id is no text is told of, and left", async () => {
  const it = await patient();
  const valkey = await hands();
  await valkey.zadd(it.key("a1", "index"), 5, Buffer.from([0xff, 0x61]));
  expect(await it.found({ repair: true })).toEqual(["id-broken \uFFFDa left"]);
});
