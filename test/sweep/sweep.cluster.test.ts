import { expect, it, onTestFinished } from "vitest";
import { defineMachine, type Entities, type Latchkey } from "../../src/index.js";
import { useCluster } from "../helpers/cluster.js";
import { clusterClient, firstServer, LONG, mortalCluster } from "../helpers/cluster-clients.js";
import { partlyDown } from "../helpers/partly-down.js";

const task = defineMachine({
  name: "task",
  version: 1,
  initial: "waiting",
  states: { waiting: { to: ["late"], timeout: { after: 1, to: "late" } }, late: { retain: 1 } },
});
const IDS = Array.from({ length: 60 }, (_, at) => `t${at}`);

/** Starts a sweep that ends with the test. */
function sweeping(ours: Entities | Latchkey, changes: string[]) {
  const stop = new AbortController();
  const news: string[] = [];
  const ended = ours.sweep({
    signal: stop.signal,
    interval: 10,
    onChange: ({ id, type }) => void changes.push(`${type} ${id}`),
    onAway: () => void news.push("away"),
    onBack: () => void news.push("back"),
  });
  onTestFinished(async () => {
    stop.abort();
    await ended;
  });
  return news;
}

it("fires the timers of all servers, of one machine or of the whole namespace", async () => {
  const latchkey = await clusterClient(await useCluster());
  const ours = await latchkey.machine(task);
  await Promise.all(IDS.map((id) => ours.create(id)));
  await expect
    .poll(async () => {
      await ours.sweep({ once: true });
      return ours.count();
    }, LONG)
    .toEqual({ waiting: 0, late: 0 });
  await Promise.all(IDS.map((id) => ours.create(id)));
  await expect
    .poll(async () => {
      await latchkey.sweep({ once: true });
      return ours.count();
    }, LONG)
    .toEqual({ waiting: 0, late: 0 });
});

it.each(["machine", "namespace"])(
  "a sweep of a %s goes on at the other servers while one is down, and there when it is back",
  async (what) => {
    const cluster = await mortalCluster(0);
    const latchkey = await clusterClient(cluster);
    await latchkey.init(16);
    const ours = await latchkey.machine(task);
    const { server, holds } = await firstServer(cluster, { namespace: latchkey.namespace, partitions: 16 });
    const fired: string[] = [];
    const news = sweeping(what === "machine" ? ours : latchkey, fired);
    const removed = (ids: readonly string[]): string[] =>
      ids.filter((id) => fired.includes(`task.removed ${id}`));
    await ours.create("before", {}, LONG);
    await expect.poll(() => removed(["before"]), LONG).toEqual(["before"]);
    const held = IDS.filter(holds);
    await Promise.all(held.map((id) => ours.create(id, {}, LONG)));
    await server.server.kill9();
    await expect.poll(() => news.at(-1), LONG).toBe("away");
    const others = IDS.filter((id) => !holds(id));
    await Promise.all(others.map((id) => ours.create(id, {}, LONG)));
    await expect.poll(() => removed(others), LONG).toEqual(others);
    await server.server.restart();
    await expect.poll(() => news.at(-1), LONG).toBe("back");
    await expect.poll(() => ours.count(LONG), LONG).toEqual({ waiting: 0, late: 0 });
  },
);

it("ends when its signal is aborted while it waits for a server that is down", async () => {
  const { cluster, namespace } = await partlyDown();
  const latchkey = await clusterClient(cluster, { namespace, timeout: "1h" }); // it waits for half an hour
  const stop = new AbortController();
  const ended = latchkey.sweep({ signal: stop.signal });
  await latchkey.machines();
  stop.abort();
  expect(await ended).toMatchObject({ expired: 0, stuck: 0 });
});
