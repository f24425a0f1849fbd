import type { Valkey } from "iovalkey";
import { expect, it, onTestFinished } from "vitest";
import { membersOf } from "../../../src/fsck/partition.js";
import { defineMachine, NotExecutedError } from "../../../src/index.js";
import { Deadline } from "../../../src/valkey/deadline.js";
import { replyCode } from "../../../src/valkey/failure.js";
import { openConnection } from "../../../src/valkey/open-connection.js";
import { all, rejection, rejectionOf } from "../../helpers/client.js";
import { ownCluster, useCluster } from "../../helpers/cluster.js";
import { clusterClient, LONG } from "../../helpers/cluster-clients.js";
import { movingSlot, order } from "../../helpers/moving-slot.js";
import { recordingLogger } from "../../helpers/secrets.js";
import { hasWaitaof } from "../../helpers/server-program.js";

const HOST = "127.0.0.1";

/** Calls `act` as soon as a server has executed a command a number of times. Returns its result. */
async function afterCommands(
  server: Valkey,
  command: string,
  count: number,
  act: () => Promise<unknown>,
): Promise<() => Promise<unknown>> {
  const monitor = await server.monitor();
  onTestFinished(() => monitor.disconnect());
  let seen = 0;
  const acted = new Promise((resolve, reject) => {
    monitor.on("monitor", (_time: string, [name]: string[]) => {
      if (name?.toLowerCase() !== command) return;
      seen += 1;
      if (seen === count) act().then(resolve, reject);
    });
  });
  return () => acted;
}

it("a large index that moves to another node while it is read is listed completely", async () => {
  const ids = Array.from({ length: 400 }, (_, at) => `m${at}`);
  const { orders, migration, prefix } = await movingSlot({}, undefined, ids);
  const { from, to } = migration;
  // Entries without an entity are not listed, but a walk through the index has to pass them.
  const fillers = Array.from({ length: 12_000 }, (_, at) => [Date.now(), `filler${at}`]);
  await from.admin.zadd(`${prefix}index`, ...fillers.flat());
  const moved = await afterCommands(from.admin, "zscan", 3, () =>
    from.admin.call("MIGRATE", HOST, to.port, `${prefix}index`, 0, 60_000),
  );
  const listed = await all(orders.list());
  expect(await moved()).toBe("OK");
  expect(listed.map(({ id }) => id).sort()).toEqual(ids.sort());
});

it("a check of an index does not go on at another node in the middle of the index", async () => {
  const { cluster, latchkey, migration, prefix } = await movingSlot();
  const index = `${prefix}index`;
  const fillers = Array.from({ length: 1_000 }, (_, at) => [Date.now(), `filler${at}`]);
  await migration.from.admin.zadd(index, ...fillers.flat());
  const connection = await openConnection({ url: cluster.url, namespace: latchkey.namespace });
  onTestFinished(() => connection.close());
  const server = connection.of(index);
  await server.untilReady(Deadline.in(60_000));
  const pages = membersOf(server.client, index);
  expect((await pages.next()).done).toBe(false);
  await migration.from.admin.call("MIGRATE", HOST, migration.to.port, index, 0, 60_000);
  expect(replyCode(await rejection(pages.next()))).toBe("ASK");
});

it("a new client changes and reads a slot whose keys have all moved", async () => {
  const { cluster, latchkey, own, moveAll } = await movingSlot();
  await moveAll();
  const other = await clusterClient(cluster, { namespace: latchkey.namespace });
  const orders = await other.machine(order);
  expect(await orders.position(own[0])).toMatch(/^\d+-\d+$/);
  expect(await orders.transition(own[0], "submitted", { timeout: "60s" })).toMatchObject({ version: 2 });
  expect(await orders.history(own[0])).toHaveLength(2);
});

it.runIf(hasWaitaof)(
  "a change that waits for the disk is made at the node that receives its slot",
  async () => {
    const cluster = await ownCluster({ settings: { appendonly: "yes", appendfsync: "always" } });
    const { orders, own, moveAll } = await movingSlot({ durability: "fsync" }, cluster);
    await orders.patch(own[0], { set: { n: 1 } });
    await moveAll();
    expect(await orders.tryPatch(own[0], { set: { n: 2 } })).toMatchObject({
      document: { version: 3 },
      durability: { met: true, local: 1 },
    });
  },
);

it("a change keeps to the clock of the node that executes it", async () => {
  const cluster = await ownCluster();
  const { orders, migration, own, moveAll } = await movingSlot({}, cluster);
  await moveAll();
  await migration.to.server.setClock(12_000);
  await orders.transition(own[0], "submitted", { timeout: "10s" });
  await migration.to.server.setClock(-12_000);
  await orders.transition(own[1], "submitted", { timeout: "10s" });
  expect(await orders.count()).toMatchObject({ submitted: 2 });
});

it("a call goes on when the node that receives its slot falls silent", async () => {
  const cluster = await ownCluster({ nodeTimeoutMs: 120_000 });
  const { logger, lines } = recordingLogger();
  const { orders, migration, own, moveAll } = await movingSlot({ logger, silenceTimeoutMs: 500 }, cluster);
  await moveAll();
  await orders.get(own[0]);
  migration.to.server.stop();
  lines.length = 0;
  const reading = Promise.all([orders.position(own[0]), orders.get(own[0])]);
  await expect
    .poll(() => lines.filter((line) => line.includes("retrying get")).length, LONG)
    .toBeGreaterThan(0);
  await migration.to.server.cont();
  expect(await reading).toEqual([expect.any(String), expect.objectContaining({ id: own[0] })]);
});

it("a node that names no host is reached at the host of the node that was asked", async () => {
  const cluster = await ownCluster({
    settings: { bind: "127.0.0.1 127.0.0.2", "cluster-preferred-endpoint-type": "unknown-endpoint" },
  });
  const seed = cluster.addresses[0]?.replace(HOST, "127.0.0.2");
  const { orders, migration, own, moveAll } = await movingSlot({ url: `valkey+cluster://${seed}` }, cluster);
  await moveAll();
  expect(await orders.get(own[0])).toMatchObject({ id: own[0] });
  expect(await orders.transition(own[0], "submitted")).toMatchObject({ version: 2 });
  const clients = String(await migration.to.admin.client("LIST"));
  const asking = clients.split("\n").filter((line) => line.includes("name=latchkey-asking"));
  expect(asking.map((line) => / laddr=([^:]*)/.exec(line)?.[1])).toEqual(["127.0.0.2"]);
});

it("changes of a machine without timers wait until their slot has moved", async () => {
  const cluster = await useCluster();
  const latchkey = await clusterClient(cluster, { timeout: "60s" });
  await latchkey.init(1);
  const plain = await latchkey.machine(
    defineMachine({ name: "plain", version: 1, initial: "a", states: { a: { to: ["b"] }, b: {} } }),
  );
  await plain.create("p1");
  const slot = await cluster.slotOf(`{${latchkey.namespace}:0}`);
  const from = await cluster.owner(slot);
  const migration = await cluster.beginMigration(slot, cluster.nodes.find((node) => node !== from) ?? from);
  const moved = `slot ${slot} is moving from valkey://127.0.0.1:${from.port} to `;
  const refused = async () => rejectionOf(NotExecutedError, plain.transition("p1", "b", { timeout: 500 }));
  expect((await refused()).message).toContain(moved);
  while ((await migration.moveKeys(100)) > 0);
  expect((await refused()).message).toContain(moved);
  expect(await plain.get("p1")).toMatchObject({ state: "a", version: 1 });
  const waiting = plain.transition("p1", "b");
  await migration.finish(await cluster.primaries());
  expect(await waiting).toMatchObject({ version: 2 });
});
