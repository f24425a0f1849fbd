import { expect, it, onTestFinished } from "vitest";
import { type Change, connect, type Entities, NotExecutedError, partitionOf } from "../../../src/index.js";
import { rejectionOf } from "../../helpers/client.js";
import { ownCluster } from "../../helpers/cluster.js";
import { LONG } from "../../helpers/cluster-clients.js";
import { MANY, movingSlot, order } from "../../helpers/moving-slot.js";
import { freshNamespace } from "../../helpers/valkey.js";

async function ids(orders: Entities): Promise<string[]> {
  const found: string[] = [];
  for await (const { id } of orders.list()) found.push(id);
  return found.sort();
}

async function types(orders: Entities): Promise<number> {
  let count = 0;
  for await (const _ of orders.events({ after: "start", follow: false })) count += 1;
  return count;
}

it("a slot whose keys have all moved, but not its ownership, is read and changed at its new node", async () => {
  const { orders, migration, own, finish } = await movingSlot();
  while ((await migration.moveKeys(100)) > 0);
  const [first = "", second = ""] = own;
  expect(await orders.get(first)).toMatchObject({ id: first, state: "draft", dueAt: expect.any(String) });
  expect(await orders.transition(first, "submitted")).toMatchObject({ version: 2 });
  expect(await ids(orders)).toEqual([...MANY].sort());
  expect(await orders.count()).toMatchObject({ draft: 39, submitted: 1 });
  expect(await types(orders)).toBe(41);
  expect(await orders.waitFor(first, "submitted")).toMatchObject({ version: 2 });
  await finish();
  expect(await orders.transition(second, "submitted")).toMatchObject({ version: 2 });
});

it("a change whose keys are at both nodes is not executed within its time, and takes effect after the move", async () => {
  const { orders, migration, own, finish } = await movingSlot();
  await migration.moveKeys(3);
  for (const name of own) expect(await orders.get(name)).toMatchObject({ id: name, version: 1 });
  const id = `new-${own.length}`;
  const inside =
    Array.from({ length: 50 }, (_, at) => `${id}-${at}`).find((name) => partitionOf(name, 4) === 0) ?? "";
  const error = await rejectionOf(NotExecutedError, orders.create(inside, {}, { timeout: 500 }));
  expect(["TRYAGAIN", ""]).toContain(error.reply);
  expect(await ids(orders)).toEqual([...MANY].sort());
  const waiting = orders.create(inside, {}, { timeout: "60s" });
  await finish();
  expect(await waiting).toMatchObject({ version: 1, state: "draft" });
  const elsewhere = MANY.find((name) => partitionOf(name, 4) !== 0) ?? "";
  expect(await orders.transition(elsewhere, "submitted")).toMatchObject({ version: 2 });
});

it("changes go on while a slot moves to another node and back, each once", async () => {
  const { cluster, orders, migration, own } = await movingSlot();
  const [id = ""] = own;
  let isMoving = true;
  const changing = (async () => {
    let made = 0;
    for (; isMoving || made < 20; made += 1) await orders.patch(id, { set: { made }, timeout: "60s" });
    return made;
  })();
  await migration.finish(await cluster.primaries());
  await cluster.moveSlot(migration.slot, migration.from);
  isMoving = false;
  const made = await changing;
  expect(await orders.get(id)).toMatchObject({ made: made - 1, version: made + 1 });
});

it("events and reactions get every change once, in order, while a slot moves to another node and back", async () => {
  const { cluster, orders, migration, own, finish } = await movingSlot();
  const { slot, from, to } = migration;
  await finish();
  const heard = new Map<string, number[]>();
  const handled = new Map<string, number[]>();
  const note = (versions: Map<string, number[]>, { id, version }: Change): void => {
    versions.set(id, [...(versions.get(id) ?? []), version]);
  };
  const stop = new AbortController();
  const following = (async () => {
    for await (const change of orders.events({ after: "start", signal: stop.signal })) note(heard, change);
  })();
  const reaction = await orders.react("notes", (change) => note(handled, change), { from: "start" });
  let isMoving = true;
  const changing = MANY.map(async (id) => {
    let version = 1;
    while (isMoving && own.includes(id))
      ({ version } = await orders.patch(id, { set: { at: version }, timeout: "60s" }));
    return [id, Array.from({ length: version }, (_, at) => at + 1)] as const;
  });
  await cluster.moveSlot(slot, from);
  await cluster.moveSlot(slot, to);
  isMoving = false;
  const made = new Map(await Promise.all(changing));
  expect(made.get(own[0])?.length).toBeGreaterThan(1);
  await expect.poll(() => heard, LONG).toEqual(made);
  await expect.poll(() => handled, LONG).toEqual(made);
  await reaction.close();
  stop.abort();
  await following;
});

it("a node that joins and takes over slots is found", async () => {
  const cluster = await ownCluster();
  const namespace = freshNamespace();
  const latchkey = await connect({ url: cluster.url, namespace, timeout: "60s" });
  onTestFinished(() => latchkey.close());
  await latchkey.init(4);
  const orders = await latchkey.machine(order);
  await Promise.all(MANY.map((id) => orders.create(id)));
  const joining = await cluster.add();
  for (const tag of [`{${namespace}}`, `{${namespace}:0}`, `{${namespace}:1}`])
    await cluster.moveSlot(await cluster.slotOf(tag), joining);
  expect(await orders.count()).toMatchObject({ draft: 40 });
  await Promise.all(MANY.map((id) => orders.transition(id, "submitted")));
  expect(await orders.count()).toMatchObject({ submitted: 40 });
  expect(await types(orders)).toBe(80);
  expect(await joining.admin.info("commandstats")).toContain("cmdstat_evalsha:");
});
