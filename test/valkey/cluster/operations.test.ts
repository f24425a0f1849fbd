import { expect, it, onTestFinished } from "vitest";
import type { ClusterNode } from "../../../faults/servers/cluster-node.js";
import { type Change, connect, defineMachine, type Entities, partitionOf } from "../../../src/index.js";
import { ownCluster, useCluster } from "../../helpers/cluster.js";
import { clusterClient, LONG } from "../../helpers/cluster-clients.js";
import { freshNamespace } from "../../helpers/valkey.js";

const task = defineMachine({
  name: "task",
  version: 1,
  initial: "queued",
  states: {
    queued: { to: ["working", "done"] },
    working: { to: ["done", "queued"], lease: { for: "30s", to: "queued" } },
    done: { retain: 1 },
  },
});

/** Entities of a namespace of its own in the cluster. */
async function tasks(partitions = 64) {
  const { url } = await useCluster();
  const latchkey = await connect({ url, namespace: freshNamespace(), timeout: "60s" });
  onTestFinished(() => latchkey.close());
  await latchkey.init(partitions);
  return { latchkey, tasks: await latchkey.machine(task) };
}

const IDS = Array.from({ length: 300 }, (_, at) => `t${at}`);

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

it("every change and read of an entity goes to the server that holds it", async () => {
  const { tasks: ours } = await tasks();
  expect(new Set(IDS.map((id) => partitionOf(id, 64))).size).toBeGreaterThan(50);
  await Promise.all(IDS.map((id) => ours.create(id, { at: id })));
  await Promise.all(IDS.map((id) => ours.patch(id, { set: { patched: true } })));
  const moved = IDS.slice(0, 100);
  await Promise.all(moved.map((id) => ours.transition(id, "working")));
  await Promise.all(moved.map((id) => ours.heartbeat(id)));
  expect(await ours.get("t0")).toMatchObject({ state: "working", version: 3, at: "t0", patched: true });
  const each = await Promise.all(IDS.map((id) => ours.get(id)));
  expect(each.map((one) => one?.at)).toEqual(IDS);
  expect(await ours.count()).toEqual({ queued: 200, working: 100, done: 0 });
  expect(await ours.history("t0")).toHaveLength(3);
  const removed = IDS.slice(200);
  await Promise.all(removed.map((id) => ours.remove(id)));
  expect(await ours.count()).toEqual({ queued: 100, working: 100, done: 0 });
});

it("lists are merged over the partitions, in order, with cursors that stay valid", async () => {
  const { tasks: ours } = await tasks();
  await Promise.all(IDS.map((id) => ours.create(id)));
  await Promise.all(IDS.slice(0, 30).map((id) => ours.transition(id, "working")));
  const listed = await all(ours.list());
  expect(listed.map(({ id }) => id).sort()).toEqual([...IDS].sort());
  const paged: { id: string; state: string; since: string }[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await ours.listPage({ limit: 40, ...(cursor !== undefined && { cursor }) });
    paged.push(...page.items);
    cursor = page.cursor;
    if (cursor === undefined) break;
  }
  expect(paged.map(({ id }) => id)).toEqual(listed.map(({ id }) => id));
  const inOrder = [...paged].sort((a, b) =>
    a.state === b.state ? a.since.localeCompare(b.since) : a.state === "queued" ? -1 : 1,
  );
  expect(inOrder.map(({ state, since }) => [state, since])).toEqual(
    paged.map(({ state, since }) => [state, since]),
  );
  expect(await all(ours.list({ state: "working" }))).toHaveLength(30);
});

it("the event log of all partitions is read once each, also from a cursor, and followed", async () => {
  const { tasks: ours } = await tasks();
  await Promise.all(IDS.map((id) => ours.create(id)));
  const log = ours.events({ after: "start", follow: false });
  const first = new Set<string>();
  for await (const { id } of log) {
    first.add(id);
    if (first.size === 100) break;
  }
  const rest = await all(ours.events({ after: String(log.cursor), follow: false }));
  expect([...first, ...rest.map(({ id }) => id)].sort()).toEqual([...IDS].sort());
  const stop = new AbortController();
  const heard: string[] = [];
  const following = (async () => {
    for await (const { id, type } of ours.events({ after: "end", signal: stop.signal }))
      heard.push(`${id} ${type}`);
  })();
  const told: Change[] = [];
  const subscription = await ours.subscribe((change) => void told.push(change));
  await expect
    .poll(async () => {
      await ours.patch("t0", { set: { n: Math.random() } }); // until the follower has read its start
      return heard.length;
    })
    .toBeGreaterThan(0);
  heard.length = 0;
  told.length = 0;
  const moved = IDS.slice(0, 90);
  await Promise.all(moved.map((id) => ours.transition(id, "working")));
  const expected = moved.map((id) => `${id} task.working`).sort();
  await expect
    .poll(() => heard.filter((text) => text.endsWith("working")).sort(), { timeout: 30_000 })
    .toEqual(expected);
  await expect.poll(() => told.filter(({ type }) => type === "task.working").length).toBe(90);
  await subscription.close();
  stop.abort();
  await following;
});

it("readers and subscribers of one client share a fixed number of connections to each node", async () => {
  const cluster = await ownCluster();
  const latchkey = await clusterClient(cluster, { timeout: "60s" });
  await latchkey.init(64);
  const ours = await latchkey.machine(task);
  const stop = new AbortController();
  const ids = IDS.slice(0, 60);
  const heard = Array.from({ length: 8 }, () => 0);
  const told = heard.map(() => 0);
  const following = heard.map(async (_, at) => {
    for await (const _change of ours.events({ after: "start", signal: stop.signal }))
      heard[at] = (heard[at] ?? 0) + 1;
  });
  const count = (at: number) => (): void => {
    told[at] = (told[at] ?? 0) + 1;
  };
  const subscriptions = await Promise.all(told.map((_, at) => ours.subscribe(count(at))));
  await Promise.all(ids.map((id) => ours.create(id)));
  for (const counts of [heard, told])
    await expect.poll(() => counts, LONG).toEqual(counts.map(() => ids.length));
  const names = async ({ admin }: ClusterNode): Promise<string[]> =>
    [...String(await admin.client("LIST")).matchAll(/ name=(latchkey\S*)/g)]
      .map(([, name = ""]) => name)
      .sort();
  const each = await Promise.all(cluster.nodes.map(names));
  const subscribers = each.flat().filter((name) => name === "latchkey-subscribe");
  expect(subscribers).toHaveLength(1);
  for (const own of each)
    expect(own.filter((name) => name !== "latchkey-subscribe")).toEqual(["latchkey", "latchkey-events"]);
  await Promise.all(subscriptions.map((subscription) => subscription.close()));
  stop.abort();
  await Promise.all(following);
});

it("waits, holds and sweeps work in every partition", async () => {
  const { tasks: ours } = await tasks();
  const some = IDS.slice(0, 12);
  await Promise.all(some.map((id) => ours.create(id)));
  const waiting = Promise.all(some.map((id) => ours.waitFor(id, "working", { timeout: "60s" })));
  await Promise.all(some.map((id) => ours.transition(id, "working")));
  expect((await waiting).map(({ version }) => version)).toEqual(some.map(() => 2));
  const holds = await Promise.all(some.map((id) => ours.hold(id, { version: 2 })));
  expect(holds.map(({ isSure }) => isSure)).toEqual(some.map(() => true));
  await Promise.all(holds.map((hold) => hold.close()));
  await Promise.all(some.map((id) => ours.transition(id, "done")));
  await expect
    .poll(async () => {
      await ours.sweep({ once: true });
      return (await ours.count()).done;
    })
    .toBe(0);
  expect(await Promise.all(some.map((id) => ours.get(id)))).toEqual(some.map(() => null));
});

it("a repeated change takes effect once, and the loser of a race gets the state that won", async () => {
  const { tasks: ours } = await tasks();
  await ours.create("t1");
  const options = { op: "the-op", seen: await ours.position("t1") };
  const both = await Promise.all([
    ours.transition("t1", "working", options),
    ours.transition("t1", "working", options),
  ]);
  expect(both.map(({ version }) => version)).toEqual([2, 2]);
  await race(ours);
});

async function race(ours: Entities): Promise<void> {
  const outcomes = await Promise.all(Array.from({ length: 8 }, () => ours.tryTransition("t1", "done")));
  expect(outcomes.filter(({ ok }) => ok)).toHaveLength(1);
  expect(await ours.get("t1")).toMatchObject({ state: "done", version: 3 });
}
