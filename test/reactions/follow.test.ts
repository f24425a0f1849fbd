import { describe, expect, it, onTestFinished } from "vitest";
import {
  type Change,
  ContractError,
  type Entities,
  type FollowOptions,
  type GapError,
  type HandlerContext,
} from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { client, rejection, rejectionOf } from "../helpers/client.js";
import { type DialState, dial } from "../helpers/dial.js";
import { startProxy } from "../helpers/proxy.js";
import { AT_ONCE, gate, nameOf, replicas } from "../helpers/reactions.js";
import { useValkey } from "../helpers/valkey.js";

/** Starts a follower that is closed with the test. */
async function following(
  list: Entities<DialState>,
  handler: (change: Change, context: HandlerContext) => void | Promise<void>,
  options: FollowOptions = {},
) {
  const follower = await list.follow(handler, { retries: AT_ONCE, ...options });
  onTestFinished(() => follower.close());
  return follower;
}

/** Connects one replica through a proxy, and one directly. */
async function farAndNear() {
  const proxy = await startProxy(await useValkey());
  const home = await client({ url: proxy.url, timeout: 500 });
  const { namespace } = home;
  const far = await home.machine(dial);
  const near = await (await client({ namespace })).machine(dial);
  return { proxy, namespace, far, near };
}

describe("a follower", () => {
  it("handles every event from its start on in every replica, and stores nothing on the server", async () => {
    const { list, namespace } = await replicas(2, 2);
    const [one, two = one] = list;
    await one.create("x0");
    const met: unknown[][] = [[], []];
    await following(one, (change, { attempt }) => void met[0]?.push([change, attempt]));
    await following(two, (change, { attempt }) => void met[1]?.push([change, attempt]));
    const done = [await one.create("x1"), await two.transition("x1", "b"), await one.remove("x1")];
    const expected = done.map((change) => [change, 1]);
    await expect.poll(() => met).toEqual([expected, expected]);
    expect(await one.reactions()).toEqual([]);
    expect(await (await admin()).keys(`*${namespace}*reaction*`)).toEqual([]);
  });

  it("handles only the events in its list", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    const met: string[] = [];
    await following(ours, (change) => void met.push(nameOf(change)), { on: ["dial.b", "dial.removed"] });
    await ours.create("x1");
    await ours.transition("x1", "b");
    await ours.patch("x1", { set: { n: 1 } });
    await ours.remove("x1");
    await expect.poll(() => met).toEqual(["x1@2", "x1@4"]);
  });

  it("retries an event until its handler succeeds; meanwhile only events of its entity wait", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    const met: unknown[] = [];
    let isBroken = true;
    await following(ours, (change, { attempt }) => {
      if (isBroken && change.id === "x1") throw new Error("no");
      met.push([nameOf(change), attempt > 1]);
    });
    await ours.create("x1");
    await ours.transition("x1", "b");
    await ours.create("x2");
    await expect.poll(() => met).toEqual([["x2@1", false]]);
    isBroken = false;
    await expect
      .poll(() => met.slice(1))
      .toEqual([
        ["x1@1", true],
        ["x1@2", false],
      ]);
  });

  it("keeps order and loses nothing if more events wait than it holds in memory", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    const hold = gate();
    const met: number[] = [];
    await following(ours, async ({ version }) => {
      await hold.promise;
      met.push(version);
    });
    await ours.create("x1");
    for (let n = 0; n < 6; n++)
      await Promise.all(Array.from({ length: 100 }, () => ours.transition("x1", "a")));
    hold.open();
    await expect.poll(() => met.length, { timeout: 10_000 }).toBe(601);
    expect(met).toEqual(Array.from({ length: 601 }, (_, n) => n + 1));
  });

  it("runs up to `concurrency` handlers at once", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    const hold = gate();
    let running = 0;
    await following(
      ours,
      async () => {
        running += 1;
        await hold.promise;
      },
      { concurrency: 3 },
    );
    for (let n = 0; n < 5; n++) await ours.create(`x${n}`);
    await expect.poll(() => running).toBe(3);
    hold.open();
    await expect.poll(() => running).toBe(5);
  });

  it("aborts a handler that exceeds handlerTimeout, and retries the event", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    const met: unknown[] = [];
    const handler = async (_: Change, { attempt, signal }: HandlerContext) => {
      if (attempt === 1) await new Promise((resolve) => signal.addEventListener("abort", resolve));
      met.push([attempt, signal.reason?.code]);
    };
    await following(ours, handler, { handlerTimeout: 50 });
    await ours.create("x1");
    await expect
      .poll(() => met)
      .toEqual([
        [1, "TIMEDOUT"],
        [2, undefined],
      ]);
  });

  it("handles the events that happen while the connection is lost", async () => {
    const { proxy, far, near } = await farAndNear();
    const met: string[] = [];
    const missed: GapError[] = [];
    await following(far, (change) => void met.push(nameOf(change)), {
      onMissed: (gap) => void missed.push(gap),
    });
    await near.create("x0");
    await expect.poll(() => met).toEqual(["x0@1"]);
    for (let n = 1; n <= 3; n++) {
      proxy.cut();
      await near.create(`x${n}`);
    }
    await expect.poll(() => met, { timeout: 10_000 }).toEqual(["x0@1", "x1@1", "x2@1", "x3@1"]);
    expect(missed).toEqual([]);
  });

  it("reports a gap and continues if events were trimmed before it read them", async () => {
    const { list, namespace } = await replicas(1);
    const [ours] = list;
    const met: string[] = [];
    const missed: GapError[] = [];
    await following(ours, (change) => void met.push(nameOf(change)), {
      onMissed: (gap) => void missed.push(gap),
    });
    const change = await ours.create("x0");
    await expect.poll(() => met).toEqual(["x0@1"]);
    const events = `{${namespace}:0}:dial:events`;
    // In one transaction, so that the follower cannot read between the commands.
    const valkey = await admin();
    const entry = ["*", "doc", JSON.stringify({ ...change, id: "x1" })] as const;
    await valkey
      .multi()
      .xadd(events, ...entry)
      .xadd(events, ...entry)
      .xtrim(events, "MAXLEN", 1)
      .exec();
    await ours.create("x2");
    await expect.poll(() => met).toEqual(["x0@1", "x1@1", "x2@1"]);
    expect(missed).toMatchObject([{ code: "GAP", reason: "trimmed" }]);
  });

  it("waits for running handlers when it is closed, and handles no further events", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    const [begun, hold] = [gate(), gate()];
    const met: string[] = [];
    const follower = await following(ours, async (change) => {
      begun.open();
      await hold.promise;
      met.push(nameOf(change));
    });
    await ours.create("x1");
    await ours.transition("x1", "b");
    await begun.promise;
    const closing = follower.close();
    hold.open();
    await closing;
    await follower.closed;
    expect(met).toEqual(["x1@1"]);
  });

  it.each(["its signal", "latchkey"])("aborts running handlers when %s ends it", async (which) => {
    const home = await client();
    const ours = await home.machine(dial);
    const stop = new AbortController();
    const begun = gate();
    const follower = await following(
      ours,
      async (_, { signal }) => {
        begun.open();
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
      },
      { signal: stop.signal },
    );
    await ours.create("x1");
    await begun.promise;
    if (which === "latchkey") await home.close();
    else stop.abort();
    await follower.closed;
  });

  it("ends with the error in `closed` if the log cannot be read", async () => {
    const { url } = await useValkey();
    const home = await client();
    const { namespace } = home;
    await home.machine(dial);
    await (await admin()).acl("SETUSER", namespace, "on", ">p", "~*", "&*", "+@all", "-xrange");
    const poor = await client({ url, namespace, username: namespace, password: "p" });
    const follower = await following(await poor.machine(dial), () => {});
    expect((await rejection(follower.closed)).message).toContain("the event log of dial cannot be read");
  });

  it.each([
    [{ on: ["dial.bb"] }, 'on: unknown event "dial.bb"; did you mean "dial.b"?'],
    [{ concurrency: 0 }, "concurrency must be a whole number from 1"],
    [{ deadLetterAfter: 3 }, 'unknown option "deadLetterAfter"'],
    [{ handlerTimeout: "soon" }, "handlerTimeout: invalid duration"],
    [{ onMissed: "log" }, "onMissed must be a function"],
  ])("rejects %j", async (options, text) => {
    const list = await (await client()).machine(dial);
    const error = await rejectionOf(
      ContractError,
      list.follow(() => {}, options as object),
    );
    expect(error.message).toContain(text);
  });
});
