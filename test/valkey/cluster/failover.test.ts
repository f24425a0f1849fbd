import { expect, it, onTestFinished } from "vitest";
import { connect, NotExecutedError, OutcomeUnknownError, partitionOf } from "../../../src/index.js";
import { ownCluster } from "../../helpers/cluster.js";
import { order } from "../../helpers/order.js";
import { freshNamespace } from "../../helpers/valkey.js";

const LONG = { timeout: "90s" } as const;
const MANY = Array.from({ length: 24 }, (_, at) => `o${at}`);

/** Orders in a cluster of three primaries with a replica each, in 8 partitions. */
async function orders() {
  const cluster = await ownCluster({
    replicas: 1,
    nodeTimeoutMs: 2_000,
    settings: { "cluster-require-full-coverage": "no" },
  });
  const namespace = freshNamespace();
  const latchkey = await connect({ url: cluster.url, namespace });
  onTestFinished(() => latchkey.close());
  await latchkey.init(8);
  const ours = await latchkey.machine(order);
  await Promise.all(
    MANY.map((id) => ours.create(id, {}, { ...LONG, durability: { replicas: 1, timeoutMs: 30_000 } })),
  );
  const primary = await cluster.ownerOf(`{${namespace}:0}:order:events`);
  const [replica] = await cluster.replicasOf(primary);
  if (replica === undefined) throw new Error("The primary has no replica");
  return { cluster, ours, primary, replica, namespace };
}

it("changes, reads and readers of events go on at the replica of a primary that was killed", async () => {
  const { cluster, ours, namespace } = await orders();
  const stop = new AbortController();
  const submitted = new Set<string>();
  const following = (async () => {
    for await (const { id, state } of ours.events({ after: "start", signal: stop.signal }))
      if (state === "submitted") submitted.add(id);
  })();
  const heard = new Set<string>();
  const subscription = await ours.subscribe(({ id }) => void heard.add(id));
  // The subscription is at this server.
  const home = await cluster.ownerOf(`{${namespace}}:meta`);
  await home.server.kill9();
  const changes = await Promise.all(MANY.map((id) => ours.transition(id, "submitted", LONG)));
  expect(changes.map(({ version }) => version)).toEqual(MANY.map(() => 2));
  expect(await ours.count(LONG)).toMatchObject({ submitted: 24 });
  await expect.poll(() => submitted.size, { timeout: 90_000 }).toBe(24);
  await expect
    .poll(
      async () => {
        await ours.patch("o1", { set: { at: heard.size }, ...LONG });
        return heard.has("o1");
      },
      { timeout: 90_000 },
    )
    .toBe(true);
  await subscription.close();
  stop.abort();
  await following;
});

it("partitions of other servers are changed and read while a primary is down", async () => {
  const { cluster, ours, primary, replica, namespace } = await orders();
  const slots = await Promise.all(
    Array.from({ length: 8 }, (_, partition) => cluster.slotOf(`{${namespace}:${partition}}`)),
  );
  const view = await primary.view();
  const isLost = (id: string): boolean => view.ownerOf(slots[partitionOf(id, 8)] ?? 0) === primary.id;
  await replica.server.kill9(); // nobody replaces the primary
  await primary.server.kill9();
  const reachable = MANY.filter((id) => !isLost(id));
  expect(reachable.length).toBeGreaterThan(0);
  await Promise.all(reachable.map((id) => ours.transition(id, "submitted", LONG)));
});

it("a planned failover loses and repeats nothing, in the order of the calls", async () => {
  const { cluster, ours, replica } = await orders();
  const id = MANY.find((name) => partitionOf(name, 8) === 0) ?? "";
  const made: number[] = [];
  const patches = Array.from({ length: 300 }, (_, at) =>
    ours.patch(id, { set: { at }, ...LONG }).then(({ version }) => void made.push(version)),
  );
  const failing = cluster.failOver(replica);
  await Promise.all(patches);
  await failing;
  expect(made).toEqual(Array.from({ length: 300 }, (_, at) => at + 2));
  expect(await ours.get(id)).toMatchObject({ version: 301, at: 299 });
});

it("a call to a server that is down ends in its time, and was not executed or is unknown", async () => {
  const { ours, primary, replica } = await orders();
  await replica.server.kill9();
  await primary.server.kill9();
  const id = MANY.find((name) => partitionOf(name, 8) === 0) ?? "";
  const error = await ours.transition(id, "submitted", { timeout: 800 }).catch((thrown: unknown) => thrown);
  expect(error instanceof NotExecutedError || error instanceof OutcomeUnknownError).toBe(true);
});
