import type { Valkey } from "iovalkey";
import { expect, it } from "vitest";
import { type Partition, partitionAt } from "../../src/fsck/partition.js";
import { repairEntity } from "../../src/fsck/repair.js";
import { readStoredEntity } from "../../src/fsck/stored-entity.js";
import { admin } from "../helpers/calls.js";
import { type TicketFixture, ticketFixture } from "../helpers/fsck.js";
import { keyspace } from "../helpers/keyspace.js";

const partitionOf = ({ latchkey, tickets, partitions }: TicketFixture): Partition =>
  partitionAt({ namespace: latchkey.namespace, partitions, machine: tickets.name }, 0);

it.each<[string, string, (valkey: Valkey, fixture: TicketFixture) => Promise<unknown>]>([
  ["its state", "a2", (_, { tickets }) => tickets.transition("a2", "open")],
  ["its index entry", "a2", (valkey, fixture) => valkey.zadd(fixture.key("a2", "index"), 1, "a2")],
  ["its timer", "a1", (valkey, fixture) => valkey.zadd(fixture.key("a1", "due"), 1, "a1")],
  ["its existence", "a2", (_, { tickets }) => tickets.remove("a2")],
  ["its absence", "a5", (_, { tickets }) => tickets.create("a5")],
  [
    "its absence, by another client",
    "a5",
    (valkey, fixture) => valkey.hset(fixture.key("a5", "id:a5"), "x", 1),
  ],
  ["its log's length", "a2", (_, { tickets }) => tickets.patch("a2", { set: { n: 3 } })],
])("nothing is repaired if %s changed after the entity was read", async (_, id, change) => {
  const fixture = await ticketFixture();
  const valkey = await admin();
  const partition = partitionOf(fixture);
  const entity = await readStoredEntity(valkey, partition, id);
  await change(valkey, fixture);
  const before = await keyspace(valkey, fixture.latchkey.namespace);
  expect(await repairEntity(valkey, partition, entity, { index: 7, due: 8, log: null })).toBe(false);
  expect(await keyspace(valkey, fixture.latchkey.namespace)).toEqual({
    ...before,
    "keys in all": expect.anything(),
  });
});

it("index and timer are repaired despite a patch in between, because they follow from the state", async () => {
  const fixture = await ticketFixture();
  const valkey = await admin();
  const partition = partitionOf(fixture);
  const entity = await readStoredEntity(valkey, partition, "a2");
  await fixture.tickets.patch("a2", { set: { n: 3 } });
  expect(await repairEntity(valkey, partition, entity, { index: 7, due: 8 })).toBe(true);
  expect(await valkey.zscore(fixture.key("a2", "index"), "a2")).toBe("7");
  expect(await valkey.zscore(fixture.key("a2", "due"), "a2")).toBe("8");
});

it("damage that cannot be repaired causes no write, even with repair", async () => {
  const fixture = await ticketFixture();
  const valkey = await admin();
  await valkey.del(fixture.key("a1", "log:a1"));
  await valkey.xtrim(fixture.key("a1", "events"), "MAXLEN", 6);
  await valkey.hset(fixture.key("a2", "id:a2"), "n", "nan");
  const before = await keyspace(valkey, fixture.latchkey.namespace);
  expect(await fixture.results({ deep: true, repair: true })).toEqual([
    "hash-field a2 manual",
    "log-missing a1 manual",
  ]);
  expect(await keyspace(valkey, fixture.latchkey.namespace)).toEqual({
    ...before,
    "keys in all": expect.anything(),
  });
});

it("a repair restores exactly what the scripts had written", async () => {
  const fixture = await ticketFixture();
  const valkey = await admin();
  const before = await keyspace(valkey, fixture.latchkey.namespace);
  await valkey.zrem(fixture.key("a1", "index"), "a1", "a2", "a3", "a4");
  await valkey.zadd(fixture.key("a1", "due"), 1, "a1", 2, "a2", 3, "a4", 4, "a5");
  await valkey.rpush(fixture.key("a5", "log:a5"), "x");
  expect(new Set((await fixture.fsck({ repair: true })).findings.map(({ result }) => result))).toEqual(
    new Set(["repaired"]),
  );
  expect(await keyspace(valkey, fixture.latchkey.namespace)).toEqual({
    ...before,
    "keys in all": expect.anything(),
  });
});

it("an index entry with an id that is not UTF-8 is reported, and stays", async () => {
  const fixture = await ticketFixture();
  const valkey = await admin();
  await valkey.zadd(fixture.key("a1", "index"), 5, Buffer.from([0xff, 0x61]));
  expect(await fixture.results({ repair: true })).toEqual(["id-broken \uFFFDa manual"]);
});
