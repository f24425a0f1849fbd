import { describe, expect, it } from "vitest";
import type { ConnectOptions, MissedEvents } from "../../src/index.js";
import { reactionScripts } from "../../src/lua/reactions.js";
import { admin } from "../helpers/calls.js";
import { all } from "../helpers/client.js";
import { counted, farAndNear } from "../helpers/far-reaction.js";
import { gate, keyOf, nameOf, reacting } from "../helpers/reactions.js";
import { recordingLogger } from "../helpers/secrets.js";

/** Makes a replica that has handled a later event than the one that a dead replica has of entity x1. */
async function scene(options: ConnectOptions = {}) {
  const stage = await farAndNear(options);
  const { far, near, namespace, give } = stage;
  await (await reacting(near, () => {})).close();
  await near.create("x1");
  await give("other");
  const [event] = await (await admin()).xrange(`{${namespace}:0}:dial:events`, "-", "+");
  await (await admin()).hset(keyOf(namespace, "held"), "x1", `other 0 e${event?.[0]} 0 0 0 0 0`);
  const met: string[] = [];
  await reacting(far, (change, { attempt }) => void met.push(`${nameOf(change)} try ${attempt}`));
  await near.create("x2");
  await expect.poll(() => met).toEqual(["x2@1 try 1"]);
  return { ...stage, met };
}

describe("the events of a dead replica", () => {
  it("are handled in order if the reply that reassigns them is lost", async () => {
    const { proxy, near, met, sign, die } = await scene();
    await sign();
    proxy.dropReply(reactionScripts.take.sha1);
    await die("other");
    await near.patch("x1", { set: { n: 2 } });
    await proxy.lost;
    await near.patch("x1", { set: { n: 3 } });
    await expect.poll(() => met.length).toBe(4);
    expect(met.slice(1)).toEqual(["x1@1 try 1", "x1@2 try 1", "x1@3 try 1"]);
  });

  it("are handled in order if a request arrives later than its retry", async () => {
    const { proxy, near, met, sign, die } = await scene();
    const release = proxy.delayRequest(reactionScripts.take.sha1);
    await proxy.lost;
    await sign(); // the retry
    await near.create("x3"); // a later event
    await expect.poll(() => met.length).toBe(2);
    await sign();
    await die("other");
    await release();
    for (const n of [2, 3]) await near.patch("x1", { set: { n } });
    await expect.poll(() => met.length).toBe(5);
    expect(met.slice(2)).toEqual(["x1@1 try 1", "x1@2 try 1", "x1@3 try 1"]);
  });
});

describe("an attempt", () => {
  it("counts once if the reply to its begin is lost", async () => {
    const { proxy, far, near } = await farAndNear();
    const { met, handler } = counted();
    await reacting(far, handler, { deadLetterAfter: 1 });
    proxy.dropReply(reactionScripts.begin.sha1);
    await near.create("x1");
    await proxy.lost;
    await expect.poll(() => met).toEqual([["x1@1", 1]]);
    await expect.poll(async () => (await near.reactions())[0]?.pending).toBe(0);
    expect(await all(near.deadLetters("r"))).toEqual([]);
  });

  it("counts once if its begin arrives later than its retry, or than the next attempt", async () => {
    const { proxy, far, near } = await farAndNear();
    const second = gate();
    const { met, handler } = counted(async (_, { attempt }) => {
      if (attempt === 2) await second.promise;
      if (attempt < 3) throw new Error("no");
    });
    await reacting(far, handler);
    const release = proxy.delayRequest(reactionScripts.begin.sha1);
    await near.create("x1");
    await expect.poll(() => met.length).toBe(2);
    await release();
    second.open();
    await expect.poll(() => met.length).toBe(3);
    expect(met.map(([, attempt]) => attempt)).toEqual([1, 2, 3]);
  });

  it("does not count if the replica stops before the reply to its begin arrives", async () => {
    const { proxy, far, near } = await farAndNear({ silenceTimeoutMs: 300 });
    const stop = new AbortController();
    const reaction = await reacting(far, () => {}, { signal: stop.signal });
    proxy.holdReply(reactionScripts.begin.sha1);
    await near.create("x1");
    await proxy.lost;
    stop.abort();
    await reaction.closed.catch(() => {});
    const { met, handler } = counted();
    await reacting(near, handler, { deadLetterAfter: 1, takeOverAfter: "1ms" });
    await expect.poll(() => met).toEqual([["x1@1", 1]]);
    expect(await all(near.deadLetters("r"))).toEqual([]);
  });

  it("on a trimmed event does not count for the next event", async () => {
    const { near, namespace, give, die } = await farAndNear();
    await (await reacting(near, () => {})).close();
    await near.create("x1");
    await near.transition("x1", "b");
    await give("other");
    const valkey = await admin();
    const events = `{${namespace}:0}:dial:events`;
    const [first] = await valkey.xrange(events, "-", "+");
    const held = `other 7 e${first?.[0]} 3 0 1763807223197 0 0`;
    await valkey.hset(keyOf(namespace, "held"), "x1", held, `!e${first?.[0]}`, "x1");
    await valkey.xtrim(events, "MAXLEN", 1);
    await die("other");
    const { met, handler } = counted();
    await reacting(near, handler, { deadLetterAfter: 3 });
    await expect.poll(() => met).toEqual([["x1@2", 1]]);
  });
});

describe("finishing an event", () => {
  it.each(["handled", "dead-lettered"])("succeeds if the reply is lost: %s", async (how) => {
    const { logger, lines } = recordingLogger();
    const { proxy, far, near } = await farAndNear({ logger });
    const { met, handler } = counted(() => {
      if (how === "dead-lettered") throw new Error("no");
    });
    await reacting(far, handler, { deadLetterAfter: 1 });
    proxy.dropReply(reactionScripts.finish.sha1);
    await near.create("x1");
    await proxy.lost;
    await expect.poll(async () => (await near.reactions())[0]?.pending).toBe(0);
    await near.transition("x1", "b");
    await expect
      .poll(() => met)
      .toEqual([
        ["x1@1", 1],
        ["x1@2", 1],
      ]);
    await expect.poll(async () => (await all(near.deadLetters("r"))).length).toBe(how === "handled" ? 0 : 2);
    expect(lines.join()).not.toContain("taken over");
  });

  it("is reported as reassigned if the reply is lost and another replica finished the event", async () => {
    const { logger, lines } = recordingLogger();
    const { proxy, far, near, namespace } = await farAndNear({ logger });
    const [begun, hold] = [gate(), gate()];
    await reacting(far, async () => {
      begun.open();
      await hold.promise;
    });
    await near.create("x1");
    await begun.promise;
    const valkey = await admin();
    const [sleeper = ""] = await valkey.zrange(keyOf(namespace, "seen"), 0, -1);
    const { met, handler } = counted();
    proxy.shut(true);
    proxy.cut();
    await valkey.zadd(keyOf(namespace, "seen"), 0, sleeper);
    await reacting(near, handler);
    await expect.poll(() => met).toEqual([["x1@1", 2]]);
    await expect.poll(async () => (await near.reactions())[0]?.pending).toBe(0);
    hold.open();
    proxy.shut(false);
    await expect.poll(() => lines.join()).toContain("reassigned to another replica");
  });
});

describe("events that were trimmed before they were handled", () => {
  it("are reported once if the reply that reports them is lost", async () => {
    const { proxy, far, near, namespace } = await farAndNear();
    await (await reacting(near, () => {})).close();
    for (let n = 0; n < 10; n++) await near.create(`x${n}`);
    await (await admin()).xtrim(`{${namespace}:0}:dial:events`, "MAXLEN", 4);
    const missed: MissedEvents[] = [];
    const { met, handler } = counted();
    proxy.dropReply("\r\n$2\r\n10\r\n$1\r\n0\r\n"); // the reply to the first take with events
    await reacting(far, handler, { onMissed: (one) => void missed.push(one) });
    await proxy.lost;
    await expect.poll(() => met.length).toBe(4);
    expect(missed).toMatchObject([{ partition: 0, from: "0-0" }]);
    await near.create("x10");
    await expect.poll(() => met.length).toBe(5);
    expect(missed).toHaveLength(1);
    expect(await all(near.deadLetters("r"))).toHaveLength(1);
  });

  it("are reported too if that happened between their delivery and their begin", async () => {
    const { far, near, namespace } = await farAndNear();
    const [begun, hold] = [gate(), gate()];
    const missed: MissedEvents[] = [];
    const { met, handler } = counted(async () => {
      begun.open();
      await hold.promise;
    });
    await reacting(far, handler, { onMissed: (one) => void missed.push(one) });
    await near.create("x1");
    await begun.promise;
    await near.transition("x1", "b");
    await expect.poll(async () => (await near.reactions())[0]).toMatchObject({ pending: 2 });
    await (await admin()).xtrim(`{${namespace}:0}:dial:events`, "MAXLEN", 0);
    hold.open();
    await expect.poll(() => missed.map(({ count }) => count)).toEqual([1]);
    expect(met).toEqual([["x1@1", 1]]);
    const letters = await all(near.deadLetters("r"));
    expect(letters.map(({ error }) => error)).toEqual([
      expect.stringContaining("1 event trimmed from the log before it was handled"),
    ]);
    expect(await (await admin()).hlen(keyOf(namespace, "held"))).toBe(0);
  });
});

it("a handler is aborted after its event was reassigned, although the reply was lost", async () => {
  const { proxy, far, near, namespace } = await farAndNear();
  const [begun, aborted] = [gate(), gate<unknown>()];
  await reacting(far, async (_, { signal }) => {
    begun.open();
    await new Promise<void>((resolve) =>
      signal.addEventListener("abort", () => resolve(aborted.open(signal.reason))),
    );
  });
  await near.create("x1");
  await begun.promise;
  const valkey = await admin();
  const [sleeper = ""] = await valkey.zrange(keyOf(namespace, "seen"), 0, -1);
  proxy.shut(true);
  proxy.cut();
  await valkey.zadd(keyOf(namespace, "seen"), 0, sleeper);
  const { met, handler } = counted();
  await reacting(near, handler);
  await expect.poll(() => met).toEqual([["x1@1", 2]]);
  proxy.dropReply(reactionScripts.take.sha1);
  proxy.shut(false);
  await proxy.lost;
  expect(String(await aborted.promise)).toContain("the event was reassigned to another replica");
}, 15_000);
