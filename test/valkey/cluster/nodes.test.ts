import { expect, it, onTestFinished } from "vitest";
import { EventLog } from "../../../src/events/log.js";
import { ConnectError, type ConnectOptions, connect, GapError, partitionOf } from "../../../src/index.js";
import { openConnection } from "../../../src/valkey/open-connection.js";
import { rejectionOf } from "../../helpers/client.js";
import { useCluster } from "../../helpers/cluster.js";
import { clusterClient } from "../../helpers/cluster-clients.js";
import { clusterProxies } from "../../helpers/cluster-proxies.js";
import { order } from "../../helpers/order.js";
import { recordingLogger } from "../../helpers/secrets.js";

const PARTITIONS = 8;
const IDS = Array.from({ length: 24 }, (_, at) => `o${at}`);
const LONG = { timeout: 60_000 } as const;

/** Orders in a namespace of 8 partitions, and a server that holds some of them, but not the facts of the namespace. */
async function scene() {
  const cluster = await useCluster();
  const latchkey = await clusterClient(cluster);
  const { namespace } = latchkey;
  await latchkey.init(PARTITIONS);
  const orders = await latchkey.machine(order);
  await Promise.all(IDS.map((id) => orders.create(id)));
  const home = await cluster.ownerOf(`{${namespace}}:meta`);
  const owners = await Promise.all(
    Array.from({ length: PARTITIONS }, (_, at) => cluster.ownerOf(`{${namespace}:${at}}:order:events`)),
  );
  const away = owners.find((owner) => owner !== home);
  if (away === undefined) throw new Error("One server has all partitions");
  const isAway = (partition: number): boolean => owners[partition] === away;
  const proxies = await clusterProxies(cluster);
  const location = { namespace, partitions: PARTITIONS, machine: "order" };
  /** Opens a connection through the proxies, and makes a log of it. */
  const openLog = async (timeoutMs: number, follow: boolean) => {
    const connection = await openConnection({ cluster: proxies.cluster, namespace, timeout: timeoutMs });
    onTestFinished(() => connection.close());
    return { connection, log: new EventLog({ connection, location }, { after: "start", follow }) };
  };
  const connectFar = async (options: ConnectOptions = {}) => {
    const far = await connect({ cluster: proxies.cluster, namespace, ...options });
    onTestFinished(() => far.close());
    return far;
  };
  return { cluster, orders, namespace, isAway, away, proxy: proxies.of(away), proxies, openLog, connectFar };
}

async function idsOf(log: EventLog): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of log) ids.push(id);
  return ids;
}

it("a reader of events waits for a server that is not connected yet", async () => {
  const { proxy, openLog } = await scene();
  proxy.shut(true);
  const { log } = await openLog(LONG.timeout, false);
  const reading = idsOf(log);
  await expect.poll(() => proxy.refused, LONG).toBeGreaterThan(0);
  proxy.shut(false);
  expect((await reading).sort()).toEqual([...IDS].sort());
});

it("a reader of events whose server is not connected in time is rejected with ConnectError", async () => {
  const { proxy, openLog } = await scene();
  proxy.shut(true);
  const { log } = await openLog(200, false);
  expect((await rejectionOf(ConnectError, idsOf(log))).code).toBe("UNREACHABLE");
  expect(log.cursor).toBeUndefined();
});

it("a reader reports a gap while another server cannot be reached", async () => {
  const { cluster, namespace, orders, isAway, proxy, openLog } = await scene();
  const { connection, log } = await openLog(LONG.timeout, true);
  const changes = log[Symbol.asyncIterator]();
  for (const _ of IDS) await changes.next();
  proxy.shut(true);
  proxy.cut();
  const [near = ""] = IDS.filter((id) => !isAway(partitionOf(id, PARTITIONS)));
  const [far = ""] = IDS.filter((id) => isAway(partitionOf(id, PARTITIONS)));
  const eventsOf = (id: string): string => `{${namespace}:${partitionOf(id, PARTITIONS)}}:order:events`;
  await expect.poll(() => connection.of(eventsOf(far)).isReady, LONG).toBe(false);
  await orders.transition(near, "submitted");
  await orders.transition(near, "cancelled");
  await (await cluster.ownerOf(eventsOf(near))).admin.xtrim(eventsOf(near), "MAXLEN", 0);
  const gap = await rejectionOf(GapError, changes.next());
  const before = log.cursor?.split(",") ?? [];
  const moved = gap.cursor.split(",").flatMap((position, at) => (position === before[at] ? [] : [at]));
  expect([gap.reason, moved]).toEqual(["trimmed", [partitionOf(near, PARTITIONS)]]);
});

it("ping replies while a server cannot be reached that holds no facts of the namespace", async () => {
  const { proxy, connectFar } = await scene();
  proxy.shut(true);
  expect(await (await connectFar()).ping()).toMatchObject({ role: "primary" });
});

it("close ends the attempts to connect to a frozen server", async () => {
  const { proxy, connectFar } = await scene();
  proxy.freeze(true);
  const far = await connectFar({ connectTimeoutMs: 600_000, silenceTimeoutMs: 600_000 });
  await expect.poll(() => proxy.frozen, LONG).toBeGreaterThan(0);
  await far.close();
  await expect.poll(() => proxy.open, LONG).toBe(0);
});

it("a server that cannot be reached is logged once as a warning, however many attempts fail", async () => {
  const { away, connectFar, proxies } = await scene();
  const { logger, lines } = recordingLogger();
  const nowhere = { host: "127.0.0.1", port: 1 };
  const natMap = { ...proxies.cluster.natMap, [`127.0.0.1:${away.port}`]: nowhere };
  const far = await connectFar({ logger, cluster: { ...proxies.cluster, natMap } });
  const failures = () =>
    lines
      .map((line) => JSON.parse(line))
      .filter(({ msg }) => msg === "connection error")
      .map(({ address, level }) => [address, level]);
  await expect.poll(() => failures().length, LONG).toBeGreaterThan(5);
  await far.close();
  const [first, ...others] = failures();
  expect(first).toEqual(["valkey://127.0.0.1:1", 40]);
  expect(others).toEqual(others.map(() => ["valkey://127.0.0.1:1", 20]));
});
