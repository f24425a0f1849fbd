import { expect, it, onTestFinished } from "vitest";
import type { Change, MissedEvents } from "../../src/index.js";
import { ReactionGroup } from "../../src/reactions/group.js";
import { openConnection } from "../../src/valkey/open-connection.js";
import { admin } from "../helpers/calls.js";
import { all } from "../helpers/client.js";
import { keyOf, nameOf, reacting, replicas } from "../helpers/reactions.js";
import { useValkey } from "../helpers/valkey.js";

async function serverMs(): Promise<number> {
  const [seconds, micros] = await (await admin()).time();
  return Number(seconds) * 1000 + Number(micros) / 1000;
}

it.each([1, 4])(
  "a reaction with a delay handles each event when it is due, those of an entity in order: %i partitions",
  async (partitions) => {
    const { list } = await replicas(2, partitions);
    const met: [name: string, age: number][] = [];
    const handler = async (change: Change) => {
      met.push([nameOf(change), (await serverMs()) - Date.parse(change.timestamp)]);
    };
    for (const ours of list) await reacting(ours, handler, { delay: "400ms" });
    for (const id of ["x1", "x2", "x3"]) {
      await list[0].create(id);
      await list[0].transition(id, "b");
    }
    await expect.poll(() => met.length).toBe(6);
    for (const [name, age] of met) expect(age, name).toBeGreaterThanOrEqual(400);
    const names = met.map(([name]) => name);
    for (const id of ["x1", "x2", "x3"])
      expect(names.indexOf(`${id}@1`)).toBeLessThan(names.indexOf(`${id}@2`));
  },
);

it("events that are not due stay in the log, whichever replicas stop, and occupy no handler", async () => {
  const { list } = await replicas(1);
  const [ours] = list;
  const met: string[] = [];
  const waiting = await reacting(ours, (change) => void met.push(nameOf(change)), {
    delay: "30d",
    concurrency: 1,
  });
  for (const id of ["x1", "x2", "x3"]) await ours.create(id);
  await expect.poll(async () => (await ours.reactions())[0]).toMatchObject({ lag: 3, pending: 0 });
  await waiting.close();
  expect(met).toEqual([]);
  await reacting(ours, (change) => void met.push(nameOf(change)), { delay: "1ms" });
  await expect.poll(() => [...met].sort()).toEqual(["x1@1", "x2@1", "x3@1"]);
});

it("a dead letter is retried without the delay", async () => {
  const { list } = await replicas(1);
  const [ours] = list;
  let attempts = 0;
  const fails = () => {
    attempts += 1;
    if (attempts === 1) throw new Error("no");
  };
  const first = await reacting(ours, fails, { deadLetterAfter: 1 });
  await ours.create("x1");
  const letters = ours.deadLetters("r");
  await expect.poll(async () => (await all(letters)).length).toBe(1);
  await first.close();
  await reacting(ours, fails, { delay: "30d" });
  await letters.retry((await all(letters)).map(({ id }) => id));
  await expect.poll(async () => (await all(letters)).length).toBe(0);
  expect(attempts).toBe(2);
});

it("events that are trimmed before they are due are reported as missed, once", async () => {
  const { list, namespace } = await replicas(1);
  const [ours] = list;
  const missed: MissedEvents[] = [];
  const met: string[] = [];
  await reacting(ours, (change) => void met.push(nameOf(change)), {
    delay: "30d",
    onMissed: (one) => void missed.push(one),
  });
  for (let n = 1; n <= 5; n++) await ours.create(`x${n}`);
  await (await admin()).xtrim(`{${namespace}:0}:dial:events`, "MAXLEN", 2);
  await expect.poll(() => missed.length).toBe(1);
  const seen = keyOf(namespace, "seen");
  const beats = new Set<string>();
  const beat = async () => beats.add((await (await admin()).zrange(seen, 0, -1, "WITHSCORES")).join()).size;
  await expect.poll(beat).toBeGreaterThan(3); // further calls of take
  expect(missed).toHaveLength(1);
  expect(await all(ours.deadLetters("r"))).toHaveLength(1);
  await ours.create("x6");
  await expect.poll(async () => (await ours.reactions())[0]).toMatchObject({ lag: 3, pending: 0 });
});

it("take returns how long it is until the next event is due, by the server's clock", async () => {
  const { list, namespace } = await replicas(1);
  const { url } = await useValkey();
  const connection = await openConnection({ url });
  onTestFinished(() => connection.close());
  const group = new ReactionGroup(connection, { namespace, machine: "dial", partitions: 1 }, 0, "r", "me");
  await group.create("end");
  const hour = 3_600_000;
  const take = (delayMs: number) => group.take({ count: 10, takeOverMs: 600_000, delayMs, types: [] });
  expect((await take(hour)).deliveries).toEqual([]);
  expect(group.due).toBeUndefined();
  const { timestamp } = await list[0].create("x1");
  const batch = await take(hour);
  expect(batch).toMatchObject({ deliveries: [], hasMore: false });
  const leftMs = group.due?.remainingMs ?? 0;
  expect(leftMs).toBeLessThanOrEqual(hour);
  expect(leftMs).toBeGreaterThanOrEqual(hour - ((await serverMs()) - Date.parse(timestamp)) - 1);
  expect((await take(0)).deliveries).toHaveLength(1);
  expect(group.due).toBeUndefined();
});

it("take without room reports if events are due, trimmed, or of a replica that is dead", async () => {
  const { list, namespace } = await replicas(1);
  const { url } = await useValkey();
  const connection = await openConnection({ url });
  onTestFinished(() => connection.close());
  const location = { namespace, machine: "dial", partitions: 1 };
  const [group, other] = ["me", "other"].map((name) => new ReactionGroup(connection, location, 0, "r", name));
  if (group === undefined || other === undefined) throw new Error("There are two");
  await group.create("end");
  const look = async (delayMs = 0): Promise<boolean> => {
    const batch = await group.take({ count: 0, takeOverMs: 600_000, delayMs, types: [] });
    expect(batch.deliveries).toEqual([]);
    return batch.hasMore;
  };
  expect(await look()).toBe(false);
  await list[0].create("x1");
  expect([await look(), await look(3_600_000)]).toEqual([true, false]);
  await other.take({ count: 1, takeOverMs: 600_000, delayMs: 0, types: [] });
  expect(await look()).toBe(false);
  const valkey = await admin();
  await valkey.zadd(keyOf(namespace, "seen"), 0, "other");
  expect(await look()).toBe(true);
  await group.take({ count: 10, takeOverMs: 600_000, delayMs: 0, types: [] });
  expect(await look()).toBe(false);
  await list[0].create("x2");
  await valkey.xtrim(group.keys.events, "MAXLEN", 0);
  expect(await look()).toBe(true);
});
