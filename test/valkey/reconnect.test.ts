import { Valkey } from "iovalkey";
import { expect, it, onTestFinished } from "vitest";
import { agent, connect } from "../../src/index.js";
import { startValkey } from "../../src/testing/index.js";
import { client } from "../helpers/client.js";
import { startProxy } from "../helpers/proxy.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

async function behindProxy() {
  const proxy = await startProxy(await useValkey());
  const straight = await client();
  const near = await straight.machine(agent());
  const { namespace } = straight;
  const latchkey = await client({ url: proxy.url, namespace, silenceTimeoutMs: 200, timeout: "20s" });
  return { proxy, near, far: await latchkey.machine(agent()) };
}

it("a server that takes connections and answers nothing is left again, by calls, followers and subscribers", async () => {
  const { proxy, near, far } = await behindProxy();
  await near.create("a1");
  const log = far.events({ after: "start" })[Symbol.asyncIterator]();
  await log.next();
  const heard: string[] = [];
  await far.subscribe(({ type }) => void heard.push(type));
  await near.patch("a1", { set: { n: 1 } });
  await log.next();

  proxy.freeze(true);
  proxy.cut();
  const waiting = far.transition("a1", "running"); // the connections that are made meanwhile never get an answer
  const [next] = [log.next()];
  await expect.poll(() => proxy.frozen).toBeGreaterThanOrEqual(3);
  proxy.freeze(false);
  expect(await waiting).toMatchObject({ state: "running", version: 3 });
  expect((await next).value).toMatchObject({ type: "agent.running" });
  await expect
    .poll(async () => {
      await near.patch("a1", { set: { n: 2 } });
      return heard.length;
    })
    .toBeGreaterThan(1);
  await log.return(undefined);
});

it("a server that rejects many calls at once with READONLY is left once", async () => {
  const server = await startValkey();
  onTestFinished(() => server.stop());
  const latchkey = await connect({ url: server.url, namespace: freshNamespace() });
  onTestFinished(() => latchkey.close());
  const agents = await latchkey.machine(agent());
  const admin = new Valkey(server.url);
  onTestFinished(() => admin.disconnect());
  const warnings: string[] = [];
  const warned = ({ message }: Error): unknown => warnings.push(message);
  process.on("warning", warned);
  onTestFinished(() => void process.off("warning", warned));

  await admin.replicaof("127.0.0.1", 1);
  const calls = Array.from({ length: 30 }, (_, n) => agents.create(`a${n}`));
  await expect.poll(() => admin.info("errorstats")).toMatch(/errorstat_READONLY:count=[3-9]\d/);
  await admin.replicaof("NO", "ONE");
  for (const created of await Promise.all(calls)) expect(created).toMatchObject({ version: 1 });
  expect(warnings).toEqual([]);
});

it("a process that was busy for longer than the silence timeout reads the replies, and keeps its connection", async () => {
  const { url } = await useValkey();
  const latchkey = await client({ url, namespace: freshNamespace(), silenceTimeoutMs: 50 });
  const agents = await latchkey.machine(agent());
  await agents.create("a1");
  const valkey = new Valkey(url);
  onTestFinished(() => valkey.disconnect());
  const connections = async () => /total_connections_received:(\d+)/.exec(await valkey.info("stats"))?.[1];
  const before = await connections();
  const reply = agents.get("a1");
  await new Promise(setImmediate); // the request is on its way
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  expect(await reply).toMatchObject({ state: "spawning" });
  expect(await connections()).toBe(before);
});
