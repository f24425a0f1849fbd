import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, expect, it } from "vitest";
import { agent, ConnectError, NotExecutedError } from "../../src/index.js";
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
  await expect.poll(() => lost).toHaveLength(2);
  const waiting = agents.get("a1").catch((error: unknown) => error);
  await latchkey.close();
  await following;
  expect(await waiting).toBeInstanceOf(NotExecutedError);
});

it("may be closed twice, and turns later calls away as not executed", async () => {
  const latchkey = await client();
  const ours = await latchkey.machine(agent());
  await latchkey.close();
  await latchkey.close();
  for (const call of [
    () => ours.create("a1"),
    () => ours.get("a1"),
    () => ours.history("a1"),
    () => ours.count(),
    () => ours.listPage(),
    () => all(ours.list()),
    () => latchkey.machines(),
    () => latchkey.serverTime(),
    () => latchkey.init(),
    () => latchkey.definition("agent"),
  ]) {
    const error = await rejectionOf(NotExecutedError, call());
    expect(error).toMatchObject({ code: "NOTEXECUTED", reply: "" });
    expect(error.message).toContain(`not connected to ${latchkey.address}`);
  }
  expect(await all(ours.events({ after: "start" }))).toEqual([]);
});

it("opens no connection and throws ConnectError if it is closed before or meanwhile", async () => {
  const latchkey = await client();
  const ours = await latchkey.machine(agent());
  const opening = rejectionOf(
    ConnectError,
    ours.subscribe(() => {}),
  );
  const following = all(ours.events({ after: "start" }));
  await latchkey.close();
  const late = rejectionOf(
    ConnectError,
    ours.subscribe(() => {}),
  );
  for (const error of [await opening, await late]) {
    expect(error).toMatchObject({ code: "UNREACHABLE", reason: "ended" });
    expect(error.message).toContain("this client was closed");
  }
  expect(await following).toEqual([]);
});

it("is closed at the end of its block by `await using`", async () => {
  const latchkey = await client();
  await latchkey[Symbol.asyncDispose]();
  await rejectionOf(NotExecutedError, latchkey.serverTime());
});

it("leaves no timer behind to keep the process waiting where connecting failed", async () => {
  const left = await inNode(`
    import { connect } from ${JSON.stringify(pathToFileURL(join(root, "dist/index.js")).href)};
    await connect({ url: "valkey://127.0.0.1:1" }).catch(() => {});
    console.log(JSON.stringify(process.getActiveResourcesInfo()));
  `);
  expect(left).not.toContain("Timeout");
});
