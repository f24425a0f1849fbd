import { expect, it } from "vitest";
import type { Change } from "../../src/index.js";
import { all } from "../helpers/client.js";
import { useCluster } from "../helpers/cluster.js";
import { clusterReplicas, firstServer, LONG, mortalCluster } from "../helpers/cluster-clients.js";
import { gate, reacting } from "../helpers/reactions.js";

const IDS = Array.from({ length: 60 }, (_, at) => `x${at}`);
const SAFE = { ...LONG, durability: { replicas: 1, timeoutMs: 30_000 } } as const;

/** Collects the versions that a handler gets, by entity. */
function versions() {
  const byId = new Map<string, number[]>();
  const add = ({ id, version }: Change): void => void byId.set(id, [...(byId.get(id) ?? []), version]);
  return { byId, add };
}

it("a reaction handles the events of all servers, each once in one of its replicas, in order per entity", async () => {
  const { list } = await clusterReplicas(await useCluster(), 2, 64);
  const [ours, theirs] = list;
  const { byId, add } = versions();
  await reacting(ours, add);
  await reacting(theirs ?? ours, add);
  await Promise.all(IDS.map((id) => ours.create(id)));
  await Promise.all(IDS.map((id) => ours.transition(id, "b")));
  await Promise.all(IDS.map((id) => ours.transition(id, "c")));
  await expect.poll(() => [...byId.values()].flat().length, LONG).toBe(180);
  expect([...byId.values()]).toEqual(IDS.map(() => [1, 2, 3]));
  await expect
    .poll(() => ours.reactions(), LONG)
    .toMatchObject([{ name: "r", lag: 0, pending: 0, deadLetters: 0, consumers: 2 }]);
});

it("pending events and dead letters of all partitions are listed, retried, dropped and forgotten", async () => {
  const { list } = await clusterReplicas(await useCluster(), 1, 64);
  const [ours] = list;
  const hold = gate();
  const handled: string[] = [];
  let hasFailed = false;
  const reaction = await reacting(
    ours,
    async ({ id }) => {
      await hold.promise;
      if (!hasFailed) throw new Error("not yet");
      handled.push(id);
    },
    { deadLetterAfter: 1, concurrency: 100 },
  );
  await Promise.all(IDS.map((id) => ours.create(id)));
  await expect
    .poll(
      async () => (await all(ours.pendingEvents("r"))).filter(({ status }) => status === "running").length,
      LONG,
    )
    .toBe(60);
  const pending = await all(ours.pendingEvents("r"));
  expect(pending.map(({ entity }) => entity).sort()).toEqual([...IDS].sort());
  expect(pending.map(({ text }) => text)).not.toContain(null);
  hold.open();
  await expect.poll(async () => (await all(ours.deadLetters("r"))).length, LONG).toBe(60);
  const letters = ours.deadLetters("r");
  const ids = (await all(letters)).map(({ id }) => id);
  hasFailed = true;
  expect(await letters.retry(ids.slice(0, 20))).toEqual(ids.slice(0, 20));
  await expect.poll(() => handled.length, LONG).toBe(20);
  expect(await letters.drop(ids.slice(20, 40))).toEqual(ids.slice(20, 40));
  await expect.poll(async () => (await all(letters)).map(({ id }) => id), LONG).toEqual(ids.slice(40));
  await reaction.close();
  expect(await ours.forgetReaction("r", { force: true })).toMatchObject({ deadLetters: 20, consumers: 0 });
  expect(await ours.reactions()).toEqual([]);
});

it("while a server is down, a replica with one handler handles the events of the others", async () => {
  const cluster = await mortalCluster(0);
  const replicas = await clusterReplicas(cluster, 1, 16);
  const [ours] = replicas.list;
  const { server, holds } = await firstServer(cluster, replicas);
  const [lost = ""] = IDS.filter(holds);
  const others = IDS.filter((id) => !holds(id));
  const [begun, hold] = [gate(), gate()];
  const { byId, add } = versions();
  await reacting(
    ours,
    async (change) => {
      if (change.id === lost) {
        begun.open();
        await hold.promise;
      }
      add(change);
    },
    { concurrency: 1 },
  );
  await ours.create(lost, {}, LONG);
  await begun.promise;
  await server.server.kill9();
  hold.open(); // its end cannot be recorded
  await Promise.all(others.map((id) => ours.create(id, {}, LONG)));
  await expect.poll(() => others.filter((id) => byId.has(id)), LONG).toEqual(others);
});

it("a reaction handles all events, in order per entity, if a primary is killed in the middle", async () => {
  const cluster = await mortalCluster(1);
  const replicas = await clusterReplicas(cluster, 2, 16);
  const [ours, theirs] = replicas.list;
  const { server } = await firstServer(cluster, replicas);
  const { byId, add } = versions();
  await reacting(ours, add);
  await reacting(theirs ?? ours, add);
  await Promise.all(IDS.map((id) => ours.create(id, {}, SAFE)));
  await server.server.kill9();
  await Promise.all(IDS.map((id) => ours.transition(id, "b", LONG)));
  await expect.poll(() => IDS.filter((id) => !byId.get(id)?.includes(2)), LONG).toEqual([]);
  for (const id of IDS) {
    const met = byId.get(id) ?? [];
    expect([...met].sort()).toEqual(met); // at least once, in order
    expect(new Set(met)).toEqual(new Set([1, 2]));
  }
  await expect
    .poll(() => ours.reactions({ timeout: LONG.timeout }), LONG)
    .toMatchObject([{ lag: 0, pending: 0 }]);
});
