import { expect, test } from "vitest";
import type { CheckResult } from "../../src/doctor/check-result.js";
import { ownCluster, useCluster } from "../helpers/cluster.js";
import { LONG } from "../helpers/cluster-clients.js";
import { results } from "../helpers/doctor.js";
import { movingSlot } from "../helpers/moving-slot.js";
import { tryRun } from "../helpers/run.js";

const checkOf = async (id: string, url: string, namespace: string): Promise<CheckResult[]> =>
  (await results({ url, namespace, timeout: "1s" })).filter((one) => one.id === id);
const movesOf = (url: string, namespace: string): Promise<CheckResult[]> =>
  checkOf("cluster/moves", url, namespace);
const keysOf = (url: string, namespace: string): Promise<CheckResult[]> =>
  checkOf("cluster/keys", url, namespace);

test("warns of a slot that was moved halfway, with its nodes, its partition, and the fix", async () => {
  const { cluster, latchkey, migration, finish } = await movingSlot();
  await migration.moveKeys(1);
  const [from, to] = [migration.from, migration.to].map(({ port }) => `127.0.0.1:${port}`);
  const alike = "a move that is under way looks the same as one that stopped halfway";
  expect(await movesOf(cluster.url, latchkey.namespace)).toEqual([
    {
      id: "cluster/moves",
      level: "warn",
      status: `slot ${migration.slot} from ${from} to ${to}`,
      meaning: `most changes of the entities of partition 0 wait, and end with TRYAGAIN; ${alike}`,
      fix: `if no move is under way, valkey-cli --cluster fix ${from}`,
    },
  ]);
  await finish();
  expect(await movesOf(cluster.url, latchkey.namespace)).toMatchObject([
    { level: "ok", status: "no slot is moving" },
  ]);
});

test("says that no partition is in the slots that move, of which it shows ranges", async () => {
  const cluster = await useCluster();
  const { latchkey, migration, finish } = await movingSlot();
  await finish();
  const own = new Set(
    await Promise.all([0, 1, 2, 3].map((at) => cluster.slotOf(`{${latchkey.namespace}:${at}}:x`))),
  );
  const view = await migration.to.view();
  const isFree = (slot: number): boolean => view.ownerOf(slot) === migration.to.id && !own.has(slot);
  let first = 0;
  while (![0, 1, 2, 5].every((step) => isFree(first + step))) first += 1;
  const slots = [0, 1, 2, 5].map((step) => first + step);
  const open = await Promise.all(slots.map((slot) => cluster.beginMigration(slot, migration.from)));
  const found = await movesOf(cluster.url, latchkey.namespace);
  for (const one of open) await one.abort(await cluster.primaries());
  expect(found).toMatchObject([
    {
      status: expect.stringContaining(`slots ${first}-${first + 2}, ${first + 5} from `),
      meaning: expect.stringMatching(/^no partition of this namespace is in them; a move that is under way/),
    },
  ]);
});

test("names the calls that wait if only the node that gives a slot has its mark", async () => {
  const { cluster, latchkey, orders, migration, own, finish } = await movingSlot();
  const [from, to] = [migration.from, migration.to].map(({ port }) => `127.0.0.1:${port}`);
  await migration.to.admin.cluster("SETSLOT", migration.slot, "STABLE");
  expect(await movesOf(cluster.url, latchkey.namespace)).toMatchObject([
    {
      level: "warn",
      status: `slot ${migration.slot} from ${from} to ${to}, marked only at ${from}`,
      meaning:
        "new entities of partition 0, and changes if no entity there has a timer, wait and end with TRYAGAIN; no key can move, so other calls succeed",
      fix: `if no move is under way, valkey-cli --cluster fix ${from}`,
    },
  ]);
  // All keys of an entity exist, the key of a new one does not.
  expect((await orders.transition(own[0], "submitted")).state).toBe("submitted");
  await orders.remove(own[1]);
  await expect(orders.create(own[1], {}, { timeout: "300ms" })).rejects.toMatchObject({ reply: "TRYAGAIN" });
  await migration.to.admin.cluster("SETSLOT", migration.slot, "IMPORTING", migration.from.id);
  await finish();
});

test("says that no call waits if only the node that receives a slot has its mark, also one without slots", async () => {
  const cluster = await ownCluster();
  const fresh = await cluster.add();
  const { latchkey, orders, migration, own } = await movingSlot({}, cluster);
  for (const { admin } of [migration.from, migration.to])
    await admin.cluster("SETSLOT", migration.slot, "STABLE");
  await fresh.admin.cluster("SETSLOT", migration.slot, "IMPORTING", migration.from.id);
  const [from, to] = [migration.from, fresh].map(({ port }) => `127.0.0.1:${port}`);
  const expected = [
    {
      level: "warn",
      status: `slot ${migration.slot} from ${from} to ${to}, marked only at ${to}`,
      meaning: `no call waits: ${from} still serves all keys of the slot, except those that cluster/keys reports`,
    },
  ];
  await expect.poll(() => movesOf(cluster.url, latchkey.namespace), LONG).toMatchObject(expected);
  expect((await orders.transition(own[0], "submitted")).state).toBe("submitted");
  await orders.remove(own[1]);
  expect((await orders.create(own[1])).state).toBe("draft");
});

test("finds the keys that a move left behind when it was ended with STABLE, and how they are moved back", async () => {
  const { cluster, latchkey, migration } = await movingSlot();
  const { slot, from, to } = migration;
  expect(await keysOf(cluster.url, latchkey.namespace)).toMatchObject([{ level: "ok" }]);
  const moved = await migration.moveKeys(3);
  // The keys of a move that is under way are not lost.
  expect(await keysOf(cluster.url, latchkey.namespace)).toMatchObject([{ level: "ok" }]);
  for (const { admin } of [from, to]) await admin.cluster("SETSLOT", slot, "STABLE");
  const [owner, node] = [from, to].map(({ port }) => `127.0.0.1:${port}`);
  expect(await keysOf(cluster.url, latchkey.namespace)).toEqual([
    {
      id: "cluster/keys",
      level: "fail",
      status: `${moved} keys on ${node}, of slots ${slot}, which ${owner} holds`,
      meaning: expect.stringMatching(/^entities of this namespace are missing for all clients/),
      fix: `CLUSTER SETSLOT ${slot} IMPORTING ${from.id} at ${node}, then valkey-cli --cluster fix ${owner}, which moves the keys. It stops at a key that both nodes have`,
    },
  ]);
  await to.admin.cluster("SETSLOT", slot, "IMPORTING", from.id);
  const ended = await tryRun("valkey-cli", ["--cluster", "fix", String(owner)], { cwd: "/" });
  expect(ended.exit).toBe(0);
  expect(await keysOf(cluster.url, latchkey.namespace)).toMatchObject([{ level: "ok" }]);
});
