import { spawnSync } from "node:child_process";
import { expect, it, onTestFinished } from "vitest";
import { type Change, connect } from "../../src/index.js";
import { startValkey } from "../../src/testing/index.js";
import { admin, connection } from "../helpers/calls.js";
import { all, client } from "../helpers/client.js";
import { dial } from "../helpers/dial.js";
import { startProxy } from "../helpers/proxy.js";
import { gate, keyOf, nameOf, reacting, replicas } from "../helpers/reactions.js";
import { recordingLogger } from "../helpers/secrets.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

/** Connects one replica through a proxy, and one directly for the test itself. */
async function farAndNear() {
  const proxy = await startProxy(await useValkey());
  const far = await client({ url: proxy.url });
  const near = await (await client({ namespace: far.namespace })).machine(dial);
  return { proxy, namespace: far.namespace, far: await far.machine(dial), near };
}

it("a reaction handles all events in order although its connections are killed repeatedly", async () => {
  const { list, namespace } = await replicas(3, 2);
  const [writer, ...rest] = list;
  const met: string[] = [];
  for (const ours of rest) {
    await reacting(ours, (change) => void met.push(nameOf(change)), { deadLetterAfter: 1000 });
  }
  const killer = await connection();
  const wanted: string[] = [];
  for (let n = 0; n < 10; n++) {
    await expect
      .poll(() => writer.create(`x${n}`).catch(() => writer.get(`x${n}`)), { interval: 1 })
      .toBeTruthy();
    wanted.push(`x${n}@1`);
    for (let version = 2; version <= 4; version++) {
      const op = `${n}-${version}`;
      await expect
        .poll(
          () =>
            writer.transition(`x${n}`, "b", { op }).then(
              () => true,
              () => false,
            ),
          { interval: 1 },
        )
        .toBe(true);
      wanted.push(`x${n}@${version}`);
    }
    await killer.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
  }
  await expect.poll(() => new Set(met).size).toBe(40);
  expect([...new Set(met)].sort()).toEqual(wanted.sort());
  for (let n = 0; n < 10; n++) {
    const firsts = [1, 2, 3, 4].map((version) => met.indexOf(`x${n}@${version}`));
    expect(firsts).toEqual(firsts.toSorted((a, b) => a - b));
  }
  const open = async () => (await writer.reactions()).map(({ pending, lag }) => [pending, lag]);
  await expect.poll(open).toEqual([[0, 0]]);
  const held = [0, 1].map(async (partition) => (await admin()).hlen(keyOf(namespace, "held", partition)));
  expect(await Promise.all(held)).toEqual([0, 0]);
});

it.each(["request", "reply"] as const)(
  "a reaction misses nothing if the %s of take is lost",
  async (what) => {
    const { proxy, far, near } = await farAndNear();
    const met: string[] = [];
    await reacting(far, (change) => void met.push(nameOf(change)));
    await near.create("x1");
    await expect.poll(() => met).toEqual(["x1@1"]);
    const { reactionScripts } = await import("../../src/lua/reactions.js");
    if (what === "request") proxy.dropRequest(reactionScripts.take.sha1);
    else proxy.dropReply(reactionScripts.take.sha1);
    await near.create("x2");
    await proxy.lost;
    await expect.poll(() => met).toEqual(["x1@1", "x2@1"]);
  },
);

it("a replica gets reassigned events later if the reply is lost", async () => {
  const { proxy, far, near, namespace } = await farAndNear();
  await (await reacting(near, () => {})).close();
  await near.create("x1");
  const events = `{${namespace}:0}:dial:events`;
  const met: string[] = [];
  const { reactionScripts } = await import("../../src/lua/reactions.js");
  await reacting(far, (change) => void met.push(nameOf(change)), { on: ["dial.b"] });
  await near.transition("x1", "b");
  await expect.poll(() => met).toEqual(["x1@2"]);
  await near.transition("x1", "c");
  await near.transition("x1", "b");
  await expect.poll(() => met).toEqual(["x1@2", "x1@4"]);
  // An old event of a consumer that does not exist: only the reply that reassigns it contains it.
  const valkey = await admin();
  const [first] = await valkey.xrange(events, "-", "+");
  const mark = async () => (await valkey.zrange(keyOf(namespace, "seen"), 0, -1, "WITHSCORES")).join();
  const before = await mark();
  await expect.poll(mark, { interval: 1 }).not.toBe(before); // the next heartbeat is a while away
  proxy.dropReply(reactionScripts.take.sha1);
  await valkey.xclaim(events, "r", "died", 0, first?.[0] ?? "", "FORCE", "JUSTID");
  await proxy.lost;
  await expect.poll(() => met).toEqual(["x1@2", "x1@4", "x1@1"]);
});

it.each(["begin", "finish"] as const)(
  "a reaction handles an event once if the reply to %s is lost",
  async (script) => {
    const { proxy, far, near } = await farAndNear();
    const met: [string, number][] = [];
    await reacting(far, (change, { attempt }) => void met.push([nameOf(change), attempt]));
    await near.create("x1");
    await expect.poll(() => met.length).toBe(1);
    const { reactionScripts } = await import("../../src/lua/reactions.js");
    proxy.dropReply(reactionScripts[script].sha1);
    await near.create("x2");
    await proxy.lost;
    await near.create("x3");
    await expect.poll(() => met.map(([name]) => name).sort()).toEqual(["x1@1", "x2@1", "x3@1"]);
    await expect.poll(async () => (await near.reactions())[0]?.pending).toBe(0);
    expect(await all(near.deadLetters("r"))).toEqual([]);
  },
);

it("a reaction continues when a frozen server is back", async () => {
  const server = await startValkey();
  onTestFinished(() => server.stop());
  if (!("pid" in server)) throw new Error("A server in a container can't be frozen");
  const home = await client({ url: server.url, silenceTimeoutMs: 200, timeout: "1s" });
  const ours = await home.machine(dial);
  const met: string[] = [];
  const [begun, hold] = [gate(), gate()];
  await reacting(ours, async (change) => {
    begun.open();
    await hold.promise;
    met.push(nameOf(change));
  });
  await ours.create("x1");
  await begun.promise;
  process.kill(server.pid, "SIGSTOP");
  onTestFinished(() => void process.kill(server.pid, "SIGCONT"));
  hold.open();
  await expect
    .poll(() =>
      ours.get("x1").then(
        () => "there",
        () => "gone",
      ),
    )
    .toBe("gone");
  process.kill(server.pid, "SIGCONT");
  await expect
    .poll(() =>
      ours.create("x2").then(
        () => true,
        () => ours.get("x2"),
      ),
    )
    .toBeTruthy();
  await expect.poll(() => met).toEqual(["x1@1", "x2@1"]);
  await expect.poll(async () => (await ours.reactions())[0]?.pending).toBe(0);
});

it("a reaction handles events again if the server lost that they were handled", async () => {
  const first = await startValkey();
  const namespace = freshNamespace();
  const home = await connect({ url: first.url, namespace });
  onTestFinished(() => home.close());
  const ours = await home.machine(dial);
  const met: string[] = [];
  const reaction = await ours.react("r", (change: Change) => void met.push(nameOf(change)));
  await ours.create("x1");
  await expect.poll(() => met).toEqual(["x1@1"]);
  await first.stop();
  const second = await startValkey({ port: first.port });
  onTestFinished(() => second.stop());
  await expect
    .poll(() =>
      home.apply(dial).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  await ours.create("x2");
  await expect.poll(() => met).toEqual(["x1@1", "x2@1"]);
  await reaction.close();
});

it("closing a reaction without a server logs that it could not leave", async () => {
  const server = await startValkey();
  const { logger, lines } = recordingLogger();
  const home = await client({ url: server.url, timeout: "1s", logger });
  const reaction = await (await home.machine(dial)).react("r", () => {});
  await server.stop();
  await reaction.close();
  await reaction.closed;
  expect(lines.join()).toContain("could not leave the reaction");
});

it("a closed reaction does not keep the process alive", async () => {
  const { url } = await useValkey();
  const script = `
    import { connect, agent } from "latchkey";
    const latchkey = await connect({ url: ${JSON.stringify(url)}, namespace: ${JSON.stringify(freshNamespace())} });
    const agents = await latchkey.machine(agent());
    const reaction = await agents.react("r", () => {});
    await agents.create("a1");
    await reaction.close();
    await latchkey.close();`;
  const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
    timeout: 20_000,
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});

it("a reaction begins although its further connection fails at first", async () => {
  const proxy = await startProxy(await useValkey());
  const far = await client({ url: proxy.url, connectTimeoutMs: 500, timeout: "1m" });
  const ours = await far.machine(dial);
  const met: string[] = [];
  proxy.freeze(true);
  const beginning = reacting(ours, (change) => void met.push(nameOf(change)));
  await Promise.race([beginning, expect.poll(() => proxy.frozen).toBeGreaterThan(1)]);
  proxy.freeze(false);
  await beginning;
  await ours.create("x1");
  await expect.poll(() => met).toEqual(["x1@1"]);
});
