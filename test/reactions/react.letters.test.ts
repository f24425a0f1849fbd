import { describe, expect, it } from "vitest";
import { admin } from "../helpers/calls.js";
import { all, client } from "../helpers/client.js";
import { dial } from "../helpers/dial.js";
import { counted, farAndNear } from "../helpers/far-reaction.js";
import { gate, keyOf, reacting } from "../helpers/reactions.js";

describe("dead letters, if a reply is lost or a request late", () => {
  /** Makes two dead letters and a handler for their retry. */
  async function letters() {
    const stage = await farAndNear();
    const { near, far } = stage;
    let work = (): void | Promise<void> => {
      throw new Error("no");
    };
    const { met, handler } = counted(() => work());
    await reacting(near, handler, { deadLetterAfter: 1 });
    for (const id of ["x1", "x2"]) await near.create(id);
    await expect.poll(async () => (await all(near.deadLetters("r"))).length).toBe(2);
    const ids = (await all(near.deadLetters("r"))).map(({ id }) => id);
    const next = (then: typeof work) => {
      work = then;
    };
    return { ...stage, met, ids, next, far: far.deadLetters("r"), near: near.deadLetters("r"), all: near };
  }

  it("retry returns the IDs although the letters are handled by then", async () => {
    const { proxy, far, near, ids, next } = await letters();
    next(() => {});
    proxy.dropReply("xclaim");
    proxy.shut(true);
    const retried = far.retry(ids.slice(0, 1));
    await proxy.lost;
    await expect.poll(async () => (await all(near)).length).toBe(1);
    proxy.shut(false);
    expect(await retried).toEqual(ids.slice(0, 1));
  });

  it("drop returns the IDs", async () => {
    const { proxy, far, near, ids } = await letters();
    proxy.dropReply("xdel");
    expect(await far.drop([...ids, "0:1-1"])).toEqual(ids);
    expect(await all(near)).toEqual([]);
  });

  it("retry does not reassign a letter that a replica is retrying", async () => {
    const { proxy, far, near, ids, met, next } = await letters();
    const [begun, hold] = [gate(), gate()];
    next(async () => {
      begun.open();
      await hold.promise;
    });
    const release = proxy.delayRequest("xclaim");
    expect(await far.retry(ids.slice(0, 1))).toEqual(ids.slice(0, 1));
    await begun.promise;
    await release();
    hold.open();
    await expect.poll(async () => (await all(near)).map(({ id }) => id)).toEqual(ids.slice(1));
    expect(met.slice(2).map(([name]) => name)).toEqual(["x1@1"]);
  });

  it("a letter that is dropped while it waits is not reported, nor dead-lettered again", async () => {
    const { near, ids, met, next, all: ours, namespace } = await letters();
    const [begun, hold] = [gate(), gate()];
    next(async () => {
      begun.open();
      await hold.promise;
    });
    await ours.transition("x1", "b");
    await begun.promise;
    await near.retry(ids.slice(0, 1));
    await expect.poll(async () => (await all(near)).map(({ isRetried }) => isRetried)).toEqual([true, false]);
    const taken = async () =>
      (await (await admin()).xpending(keyOf(namespace, "dead"), "r", "-", "+", 10)) as [string, string][];
    await expect.poll(async () => (await taken())[0]?.[1]).not.toBe("retry");
    await near.drop(ids.slice(0, 1));
    hold.open();
    await expect.poll(taken).toEqual([]);
    expect((await all(near)).map(({ id }) => id)).toEqual(ids.slice(1));
    expect(met.slice(2)).toEqual([["x1@2", 1]]);
  });
});

it("an event whose last attempt has no known result becomes a dead letter with the right number of attempts", async () => {
  const { near, namespace } = await farAndNear();
  const [begun, hold] = [gate(), gate()];
  const { handler } = counted(async (_, { attempt }) => {
    if (attempt === 1) throw new Error("no");
    begun.open();
    await hold.promise;
  });
  // Its event is alone, so that a crash counts.
  await reacting(near, handler, { deadLetterAfter: 2, concurrency: 1 });
  await near.create("x1");
  await begun.promise;
  const valkey = await admin();
  const [sleeper = ""] = await valkey.zrange(keyOf(namespace, "seen"), 0, -1);
  const other = await (await client({ namespace })).machine(dial);
  await reacting(other, () => {}, { deadLetterAfter: 2 });
  const letters = async () => {
    await valkey.zadd(keyOf(namespace, "seen"), "XX", 0, sleeper);
    return all(near.deadLetters("r"));
  };
  await expect
    .poll(letters, { interval: 1 })
    .toMatchObject([
      { attempts: 2, error: expect.stringContaining("the result of the last one is unknown") },
    ]);
  hold.open();
});

it("many reactions that share a connection and a signal cause no warning about leaked listeners", async () => {
  const warned: Error[] = [];
  const note = (warning: Error): void => void warned.push(warning);
  process.on("warning", note);
  const { near, far } = await farAndNear();
  const stop = new AbortController();
  let failed = 0;
  const reactions = await Promise.all(
    Array.from({ length: 12 }, (_, n) =>
      far.react(
        `r${n}`,
        () => {
          failed += 1;
          throw new Error("no");
        },
        { signal: stop.signal, retries: { first: "1h", longest: "1h" } },
      ),
    ),
  );
  for (let n = 0; n < 12; n++) await near.create(`x${n}`);
  await expect.poll(() => failed).toBe(144);
  stop.abort();
  await Promise.all(reactions.map(({ closed }) => closed));
  process.off("warning", note);
  expect(warned).toEqual([]);
});
