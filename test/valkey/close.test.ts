import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Valkey } from "iovalkey";
import { beforeAll, expect, it, onTestFinished } from "vitest";
import { agent, ClosedError, type Entities, type Latchkey } from "../../src/index.js";
import type { AgentState } from "../../src/machine/agent.js";
import { startValkey } from "../../src/testing/index.js";
import { silentLogger } from "../../src/valkey/logger.js";
import { built, root } from "../helpers/built.js";
import { all, client, rejectionOf } from "../helpers/client.js";
import { inNode } from "../helpers/node.js";
import { startProxy } from "../helpers/proxy.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

beforeAll(built);

it("lets the process end by itself once it is closed, whatever was open", async () => {
  const { url } = await useValkey();
  const entry = pathToFileURL(join(root, "dist/index.js")).href;
  const code = `
    import { agent, connect } from ${JSON.stringify(entry)};
    const latchkey = await connect(${JSON.stringify({ url, namespace: freshNamespace() })});
    const agents = await latchkey.machine(agent());
    await agents.create("a1");
    await agents.subscribe(() => {});
    const read = [];
    let first;
    const met = new Promise((resolve) => { first = resolve; });
    const following = (async () => {
      for await (const { type } of agents.events({ after: "start" })) { read.push(type); first(); }
    })();
    await met;
    await latchkey.close();
    await following;
    console.log(JSON.stringify(read));
  `;
  expect(await inNode(code)).toEqual(["agent.spawned"]);
});

it("lets the process end although a frozen server answers nothing", async () => {
  const server = await startValkey();
  onTestFinished(() => server.stop());
  if (!("pid" in server)) throw new Error("A server in a container cannot be frozen");
  const { pid } = server;
  onTestFinished(() => void process.kill(pid, "SIGCONT"));
  const outcomes = await inNode(`
    import { agent, connect } from ${JSON.stringify(pathToFileURL(join(root, "dist/index.js")).href)};
    const latchkey = await connect({ url: ${JSON.stringify(server.url)}, timeout: "10m" });
    const agents = await latchkey.machine(agent());
    await agents.create("a1");
    process.kill(${pid}, "SIGSTOP");
    const patches = [1, 2, 3].map((n) => agents.patch("a1", { set: { n } }));
    const ended = Promise.allSettled(patches);
    await latchkey.close();
    console.log(JSON.stringify((await ended).map(({ reason }) => reason.code)));
  `);
  // The first one was sent, or close was faster.
  expect(["UNKNOWN,CLOSED,CLOSED", "CLOSED,CLOSED,CLOSED"]).toContain(String(outcomes));
});

it("ends an iteration that follows the log, and calls no listener any more", async () => {
  const latchkey = await client();
  const other = await client({ namespace: latchkey.namespace });
  const [ours, theirs] = await Promise.all([latchkey.machine(agent()), other.machine(agent())]);
  const heard: string[] = [];
  await ours.subscribe(({ type }) => void heard.push(type));
  await theirs.create("a1");
  const following = all(ours.events({ after: "start" }));
  await expect.poll(() => heard).toEqual(["agent.spawned"]);
  await latchkey.close();
  await theirs.transition("a1", "running");
  expect((await following).length).toBeLessThan(2);
  expect(heard).toEqual(["agent.spawned"]);
});

it("ends an iteration and its connections at once while the server is away", async () => {
  const proxy = await startProxy(await useValkey());
  const lost: unknown[] = [];
  const logger = {
    ...silentLogger,
    warn: (fields: object, message: string) => {
      if (message.startsWith("connection lost")) lost.push(fields);
    },
  };
  const latchkey = await client({ url: proxy.url, logger, timeout: "10m" });
  const agents = await latchkey.machine(agent());
  await agents.create("a1");
  const read: string[] = [];
  const following = (async () => {
    for await (const { type } of agents.events({ after: "start" })) read.push(type);
  })();
  await expect.poll(() => read).toEqual(["agent.spawned"]);
  proxy.shut(true);
  proxy.cut();
  await expect.poll(() => lost.length).toBeGreaterThan(1); // that of the calls, and those of the log
  const waiting = agents.get("a1").catch((error: unknown) => error);
  await latchkey.close();
  await following;
  expect(await waiting).toBeInstanceOf(ClosedError);
});

/** Every call that needs the server. */
function everyCall(latchkey: Latchkey, ours: Entities<AgentState>): (() => Promise<unknown>)[] {
  return [
    () => ours.create("a1"),
    () => ours.tryTransition("a1", "running"),
    () => ours.patch("a1", { set: { n: 1 } }),
    () => ours.remove("a1"),
    () => ours.restore("a1", "running", { version: 1 }),
    () => ours.transition("a1", "running", { durability: { replicas: 1 } }),
    () => ours.heartbeat("a1"),
    () => ours.hold("a1"),
    () => ours.get("a1"),
    () => ours.position("a1"),
    () => ours.history("a1"),
    () => ours.count(),
    () => ours.listPage(),
    () => all(ours.list()),
    () => all(ours.events({ after: "start" })),
    () => ours.subscribe(() => {}),
    () => ours.waitFor("a1", "running"),
    () => ours.react("r", () => {}),
    () => ours.reactions(),
    () => ours.forgetReaction("r"),
    () => all(ours.deadLetters("r")),
    () => ours.deadLetters("r").retry(["0:1-1"]),
    () => ours.sweep(),
    () => ours.sweep({ once: true }),
    () => latchkey.sweep(),
    () => latchkey.machine(agent()),
    () => latchkey.apply(agent()),
    () => latchkey.machines(),
    () => latchkey.serverTime(),
    () => latchkey.ping(),
    () => latchkey.init(),
    () => latchkey.definition("agent"),
    () => latchkey.installed("agent"),
  ];
}

it.each(["its own", "a given"])(
  "rejects every later call with ClosedError, with %s client",
  async (whose) => {
    const { url } = await useValkey();
    const valkey = new Valkey(url);
    onTestFinished(() => valkey.disconnect());
    const latchkey = await client(whose === "a given" ? { client: valkey } : {});
    const ours = await latchkey.machine(agent());
    await latchkey.close();
    await latchkey.close();
    for (const call of everyCall(latchkey, ours)) {
      const error = await rejectionOf(ClosedError, call());
      expect(error).toMatchObject({
        code: "CLOSED",
        message: "latchkey was closed; call connect() again",
      });
    }
  },
);

it("rejects calls that wait for the server as soon as it is closed", async () => {
  const proxy = await startProxy(await useValkey());
  const latchkey = await client({ url: proxy.url, timeout: "10m" });
  const ours = await latchkey.machine(agent());
  proxy.shut(true);
  proxy.cut();
  const calls = [ours.create("a1"), ours.get("a1"), latchkey.ping(), ours.position("a1")];
  const rejections = calls.map((call) => rejectionOf(ClosedError, call));
  await expect.poll(() => proxy.refused).toBeGreaterThan(0);
  await latchkey.close();
  await Promise.all(rejections);
});

it("opens no connection and throws ClosedError if it is closed meanwhile", async () => {
  const latchkey = await client();
  const ours = await latchkey.machine(agent());
  const opening = rejectionOf(
    ClosedError,
    ours.subscribe(() => {}),
  );
  const following = all(ours.events({ after: "start" }));
  await latchkey.close();
  await opening;
  expect(await following).toEqual([]);
});

it("is closed at the end of its block by `await using`", async () => {
  const latchkey = await client();
  await latchkey[Symbol.asyncDispose]();
  await rejectionOf(ClosedError, latchkey.serverTime());
});

it("leaves no timer behind to keep the process waiting where connecting failed", async () => {
  const left = await inNode(`
    import { connect } from ${JSON.stringify(pathToFileURL(join(root, "dist/index.js")).href)};
    await connect({ url: "valkey://127.0.0.1:1" }).catch(() => {});
    console.log(JSON.stringify(process.getActiveResourcesInfo()));
  `);
  expect(left).not.toContain("Timeout");
});
