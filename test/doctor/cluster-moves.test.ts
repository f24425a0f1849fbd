import { expect, test } from "vitest";
import type { CheckResult } from "../../src/doctor/check-result.js";
import { useCluster } from "../helpers/cluster.js";
import { results } from "../helpers/doctor.js";
import { movingSlot } from "../helpers/moving-slot.js";

const movesOf = async (url: string, namespace: string): Promise<CheckResult[]> =>
  (await results({ url, namespace, timeout: "1s" })).filter(({ id }) => id === "cluster/moves");

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
