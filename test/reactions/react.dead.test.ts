import { describe, expect, it } from "vitest";
import type { Change, DeadLetter } from "../../src/index.js";
import { admin, connection } from "../helpers/calls.js";
import { all } from "../helpers/client.js";
import { nameOf, reacting, replicas } from "../helpers/reactions.js";

function textOf({ text }: DeadLetter): string {
  return text === null ? "" : nameOf(JSON.parse(text) as Change);
}

function fail(text: string): never {
  throw new Error(text);
}

const UNSHOWN = "a value that cannot be shown as text was thrown";

describe("an event whose handler fails", () => {
  it("is retried, and becomes a dead letter after the set number of attempts, with error and times", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    const tries: [string, number][] = [];
    const handler = (change: Change, { attempt }: { attempt: number }) => {
      tries.push([nameOf(change), attempt]);
      if (change.version === 1) throw new RangeError("no such folder: é");
    };
    await reacting(ours, handler, { deadLetterAfter: 3 });
    const { timestamp } = await ours.create("x1", { note: "é" });
    await ours.transition("x1", "b");
    await expect.poll(() => tries.length).toBe(4);
    expect(tries).toEqual([
      ["x1@1", 1],
      ["x1@1", 2],
      ["x1@1", 3],
      ["x1@2", 1],
    ]);
    const [letter, ...more] = await all(ours.deadLetters("r"));
    if (letter === undefined) throw new Error("There is no dead letter");
    expect(more).toEqual([]);
    expect(letter).toMatchObject({ error: "RangeError: no such folder: é", attempts: 3, isRetried: false });
    expect(JSON.parse(letter.text ?? "")).toMatchObject({ type: "dial.a", id: "x1", version: 1, note: "é" });
    expect(letter.firstMs).toBeGreaterThanOrEqual(Date.parse(timestamp));
    expect(letter.lastMs).toBeGreaterThanOrEqual(letter.firstMs ?? 0);
  });

  it.each([
    ["a message but no class of errors", () => ({ message: "m" }), "{ message: 'm' }"],
    ["no prototype", () => Object.create(null), "[Object: null prototype] {}"],
    [
      "a toString that throws",
      () => ({ toString: () => fail("text") }),
      "{ toString: [Function: toString] }",
    ],
    [
      "a name that throws",
      () => Object.defineProperty(new Error("e"), "name", { get: () => fail("name") }),
      UNSHOWN,
    ],
    [
      "a message that throws",
      () => Object.defineProperty(new Error(), "message", { get: () => fail("m") }),
      UNSHOWN,
    ],
    ["traps", () => new Proxy({}, { getPrototypeOf: () => fail("trap") }), "{}"],
  ])(
    "is retried and becomes a dead letter if the thrown value has %s, and later events are handled",
    async (_, odd, error) => {
      const { list } = await replicas(1);
      const [ours] = list;
      const met: string[] = [];
      const handler = (change: Change) => {
        met.push(nameOf(change));
        if (change.version === 1) throw odd();
      };
      const reaction = await reacting(ours, handler, { deadLetterAfter: 2 });
      await ours.create("x1");
      await ours.transition("x1", "b");
      await expect.poll(() => met).toEqual(["x1@1", "x1@1", "x1@2"]);
      const [letter] = await all(ours.deadLetters("r"));
      expect(letter).toMatchObject({ attempts: 2, error });
      await reaction.close();
      await reaction.closed;
    },
  );

  it("becomes a dead letter if the process crashed in each attempt", async () => {
    const { list, namespace } = await replicas(1);
    const [ours] = list;
    await (await reacting(ours, () => {})).close();
    await ours.create("x1");
    await (await connection()).xreadgroup(
      "GROUP",
      "r",
      "died",
      "COUNT",
      1,
      "STREAMS",
      `{${namespace}:0}:dial:events`,
      ">",
    );
    const [event] = await (await admin()).xrange(`{${namespace}:0}:dial:events`, "-", "+");
    const held = `died 7 e${event?.[0]} 2 0 1763807223197 1763807223198 1`;
    await (await admin()).hset(`{${namespace}:0}:dial:reaction:r:held`, "x1", held);
    const met: string[] = [];
    await reacting(ours, (change) => void met.push(nameOf(change)), { deadLetterAfter: 2 });
    await expect.poll(async () => (await all(ours.deadLetters("r"))).length).toBe(1);
    const [letter] = await all(ours.deadLetters("r"));
    expect(letter).toMatchObject({ attempts: 2, firstMs: 1_763_807_223_197 });
    expect(letter?.error).toContain("the result of the last one is unknown: its process crashed");
    expect(met).toEqual([]);
  });
});

describe("dead letters", () => {
  it("are retried: handled again, one at a time per entity, and removed only then", async () => {
    const { list } = await replicas(2, 4);
    const [one, two = one] = list;
    const met: string[] = [];
    let fails = true;
    const handler = (change: Change) => {
      if (fails && change.type === "dial.b") throw new Error("no");
      met.push(nameOf(change));
    };
    await reacting(one, handler, { deadLetterAfter: 2 });
    await reacting(two, handler, { deadLetterAfter: 2 });
    for (let n = 0; n < 10; n++) {
      await one.create(`x${n}`);
      await one.transition(`x${n}`, "b");
    }
    await expect.poll(async () => (await all(one.deadLetters("r"))).length).toBe(10);
    await expect.poll(() => met.length).toBe(10);
    const letters = one.deadLetters("r");
    const ids = (await all(letters)).map(({ id }) => id);
    expect(await letters.retry(["0:1-1", "junk", "9999:1-1"])).toEqual([]);

    // The handler still fails: each letter comes back once.
    expect(await letters.retry(ids.slice(0, 2))).toEqual(ids.slice(0, 2));
    await expect.poll(async () => (await all(letters)).filter(({ id }) => !ids.includes(id)).length).toBe(2);
    expect(await all(letters)).toHaveLength(10);

    fails = false;
    const now = (await all(letters)).map(({ id }) => id);
    expect(await letters.retry(now)).toEqual(now);
    await expect.poll(async () => (await all(letters)).length).toBe(0);
    expect(met.slice(10).sort()).toEqual(Array.from({ length: 10 }, (_, n) => `x${n}@2`).sort());
  });

  it("are marked as retried until a replica takes them", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    const reaction = await reacting(
      ours,
      () => {
        throw new Error("no");
      },
      { deadLetterAfter: 1 },
    );
    await ours.create("x1");
    await expect.poll(async () => (await all(ours.deadLetters("r"))).length).toBe(1);
    await reaction.close();
    const letters = ours.deadLetters("r");
    const [letter] = await all(letters);
    await letters.retry([letter?.id ?? ""]);
    expect(await all(letters)).toMatchObject([{ isRetried: true, error: "Error: no" }]);
    const met: string[] = [];
    await reacting(ours, (change) => void met.push(nameOf(change)));
    await expect.poll(() => met).toEqual(["x1@1"]);
    await expect.poll(async () => (await all(letters)).length).toBe(0);
  });

  it("are dropped for good, also while they are retried", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    const reaction = await reacting(
      ours,
      () => {
        throw new Error("no");
      },
      { deadLetterAfter: 1 },
    );
    for (const id of ["x1", "x2", "x3"]) await ours.create(id);
    const letters = ours.deadLetters("r");
    await expect.poll(async () => (await all(letters)).length).toBe(3);
    await reaction.close();
    const [first = "", second = ""] = (await all(letters)).map(({ id }) => id);
    await letters.retry([second]);
    expect(await letters.drop([first, second, first])).toEqual([first, second]);
    expect((await all(letters)).map(textOf)).toEqual(["x3@1"]);
    const met: string[] = [];
    await reacting(ours, (change) => void met.push(nameOf(change)));
    await ours.create("x4");
    await expect.poll(() => met).toEqual(["x4@1"]);
  });

  it("of a gap can be dropped, but not retried", async () => {
    const { list, namespace } = await replicas(1);
    const [ours] = list;
    await (await reacting(ours, () => {})).close();
    for (const id of ["x1", "x2", "x3"]) await ours.create(id);
    await (await admin()).xtrim(`{${namespace}:0}:dial:events`, "MAXLEN", 1);
    await reacting(ours, () => {});
    const letters = ours.deadLetters("r");
    await expect.poll(async () => (await all(letters)).length).toBe(1);
    const [letter] = await all(letters);
    expect(letter).toMatchObject({ text: null, attempts: 0, firstMs: undefined });
    expect(letter?.error).toMatch(/^(2 )?events trimmed from the log before they were handled, from 0-0 to/);
    expect(await letters.retry([letter?.id ?? ""])).toEqual([]);
    expect(await letters.drop([letter?.id ?? ""])).toEqual([letter?.id]);
  });
});

describe("the statistics of reactions", () => {
  it("report the progress of each reaction over all partitions", async () => {
    const { list } = await replicas(1, 4);
    const [ours] = list;
    expect(await ours.reactions()).toEqual([]);
    await ours.create("x0");
    expect(await ours.reactions()).toEqual([]);
    await (await ours.react("other", () => {})).close();
    const reaction = await reacting(
      ours,
      ({ id }) => {
        if (id === "x1") throw new Error("no");
      },
      { deadLetterAfter: 1 },
    );
    for (let n = 1; n < 9; n++) await ours.create(`x${n}`);
    const find = async (name: string) => (await ours.reactions()).find((one) => one.name === name);
    await expect
      .poll(() => find("r"))
      .toEqual({
        name: "r",
        lag: 0,
        pending: 0,
        oldestPendingMs: undefined,
        consumers: 1,
        lastSeenMs: expect.any(Number),
        deadLetters: 1,
      });
    expect(await find("other")).toMatchObject({
      lag: 8,
      deadLetters: 0,
      consumers: 0,
      lastSeenMs: undefined,
    });
    await reaction.close();
    expect(await find("r")).toMatchObject({ consumers: 0 });
  });

  it("report the number of pending events and the age of the oldest", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    await reacting(
      ours,
      () => {
        throw new Error("no");
      },
      { retries: { first: "1h", longest: "1h" } },
    );
    await ours.create("x1");
    await expect.poll(async () => (await ours.reactions())[0]?.pending).toBe(1);
    const [{ oldestPendingMs } = {}] = await ours.reactions();
    expect(oldestPendingMs).toBeGreaterThanOrEqual(0);
    expect(oldestPendingMs).toBeLessThan(60_000);
  });
});
