import { beforeEach, describe, expect, it } from "vitest";
import { type Change, defineMachine } from "../../src/index.js";
import { type FakeEntities, fakeEntities } from "../../src/testing/index.js";

const job = defineMachine({
  name: "job",
  version: 1,
  initial: "waiting",
  states: { waiting: { to: ["running"] }, running: { to: ["done"] }, done: {} },
});

let jobs: FakeEntities<typeof job>;
let nowMs: number;
beforeEach(() => {
  nowMs = Date.UTC(2026, 0, 1);
  jobs = fakeEntities(job, { now: () => nowMs });
});

/** Creates an entity and takes it to the state running. */
async function run(id: string): Promise<void> {
  await jobs.create(id);
  await jobs.transition(id, "running");
}

async function lettersOf(name: string) {
  const letters = [];
  for await (const letter of jobs.deadLetters(name)) letters.push(letter);
  return letters;
}

describe("a reaction in memory", () => {
  it("handles the events of each entity in order, and retries without a delay", async () => {
    const handled: string[] = [];
    const attempts: number[] = [];
    await jobs.react("log", async ({ id, state }, { attempt }) => {
      if (id === "a" && state === "waiting") attempts.push(attempt);
      if (id === "a" && attempt < 4) throw new Error("not yet");
      handled.push(`${id} ${state}`);
    });
    await Promise.all([run("a"), run("b")]);
    await jobs.handled();
    expect(attempts).toEqual([1, 2, 3, 4]);
    const of = (id: string) => handled.filter((text) => text.startsWith(id));
    expect([of("a"), of("b")]).toEqual([
      ["a waiting", "a running"],
      ["b waiting", "b running"],
    ]);
  });

  it("selects events by type, from the start of the log if asked", async () => {
    await run("a");
    const [late, early]: [Change[], Change[]] = [[], []];
    await jobs.react("late", (change) => void late.push(change), { on: ["job.running"] });
    await jobs.react("early", (change) => void early.push(change), { on: ["job.running"], from: "start" });
    await run("b");
    await jobs.handled();
    expect([late, early].map((changes) => changes.map(({ id }) => id))).toEqual([["b"], ["a", "b"]]);
    await expect(jobs.react("late", () => {}, { on: ["job.done"] })).rejects.toMatchObject({
      code: "BADARG",
      message: expect.stringContaining('runs with another "on"'),
    });
    // @ts-expect-error an event that the machine does not have
    await expect(jobs.react("other", () => {}, { on: ["job.finished"] })).rejects.toThrow(
      "on: unknown event",
    );
  });

  it("continues at its own position after it was closed", async () => {
    const ids: string[] = [];
    const start = () => jobs.react("log", ({ id }) => void ids.push(id), { on: ["job.waiting"] });
    const first = await start();
    await jobs.create("a");
    await jobs.handled();
    await first.close();
    await first.closed;
    await jobs.create("b");
    await jobs.handled();
    expect(ids).toEqual(["a"]);
    expect(await jobs.reactions()).toMatchObject([{ name: "log", lag: 1, pending: 0, consumers: 0 }]);
    await using _second = await start();
    await jobs.handled();
    expect(ids).toEqual(["a", "b"]);
  });

  it("makes an event that fails too often a dead letter, which can be retried or dropped", async () => {
    let isBroken = true;
    const handle = () => {
      if (isBroken) throw new Error("broken");
    };
    await jobs.react("fix", handle, { deadLetterAfter: 2, on: ["job.waiting"] });
    await Promise.all([jobs.create("a"), jobs.create("b")]);
    await jobs.handled();
    const letters = await lettersOf("fix");
    expect(letters).toMatchObject([
      { attempts: 2, error: "Error: broken", isRetried: false },
      { attempts: 2, error: "Error: broken", isRetried: false },
    ]);
    isBroken = false;
    const [one, other] = letters.map(({ id }) => id);
    expect(await jobs.deadLetters("fix").retry([String(one), "0:1-1"])).toEqual([one]);
    await jobs.handled();
    expect((await lettersOf("fix")).map(({ id }) => id)).toEqual([other]);
    expect(await jobs.deadLetters("fix").drop([String(other)])).toEqual([other]);
    expect(await lettersOf("fix")).toEqual([]);
  });

  it("handles an event after the delay of the option, by the clock", async () => {
    const ids: string[] = [];
    await jobs.react("later", ({ id }) => void ids.push(id), { delay: "1h", on: ["job.waiting"] });
    await jobs.create("a");
    await jobs.handled();
    expect(ids).toEqual([]);
    nowMs += 3_600_000;
    await jobs.handled();
    expect(ids).toEqual(["a"]);
  });

  it("stops at once if its signal is aborted, and the attempt does not count", async () => {
    const stopping = new AbortController();
    const attempts: number[] = [];
    let begin = (): void => {};
    const begun = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const reaction = await jobs.react(
      "slow",
      async (_, { attempt, signal }) => {
        attempts.push(attempt);
        begin();
        await new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason)),
        );
      },
      { signal: stopping.signal },
    );
    await jobs.create("a");
    await begun;
    stopping.abort(new Error("shutdown"));
    await reaction.closed;
    await jobs.react("slow", (_, { attempt }) => void attempts.push(attempt));
    await jobs.handled();
    expect(attempts).toEqual([1, 1]);
  });

  it("is forgotten only if it does not run, and nothing is unfinished", async () => {
    expect(await jobs.forgetReaction("log")).toBeNull();
    const reaction = await jobs.react("log", () => Promise.reject(new Error("broken")), {
      deadLetterAfter: 1,
    });
    await jobs.create("a");
    await jobs.handled();
    await expect(jobs.forgetReaction("log")).rejects.toMatchObject({ code: "INUSE", problem: "LIVING" });
    await reaction.close();
    await expect(jobs.forgetReaction("log")).rejects.toMatchObject({ code: "INUSE", problem: "UNFINISHED" });
    expect(await jobs.reactions()).toHaveLength(1);
    expect(await jobs.forgetReaction("log", { force: true })).toMatchObject({ deadLetters: 1 });
    expect(await jobs.reactions()).toEqual([]);
  });
});

it("a follower in memory handles the events since its start, and repeats each until it succeeds", async () => {
  await jobs.create("before");
  const handled: string[] = [];
  let failures = 20;
  const follower = await jobs.follow(({ id }) => {
    if (failures > 0) {
      failures -= 1;
      throw new Error("not yet");
    }
    handled.push(id);
  });
  await jobs.create("a");
  await jobs.handled();
  await follower.close();
  await jobs.create("after");
  await jobs.handled();
  expect(handled).toEqual(["a"]);
});

describe("entities in memory reject what they cannot do:", () => {
  it("durability", async () => {
    await expect(jobs.create("a", {}, { durability: "fsync" })).rejects.toMatchObject({
      code: "BADARG",
      message: expect.stringContaining("fakeEntities keeps entities in memory; omit durability"),
    });
    expect(await jobs.get("a")).toBeNull();
  });

  it("pending events", () => {
    expect(() => jobs.pendingEvents("log")).toThrow("fakeEntities does not list pending events");
  });

  it("unknown options", () => {
    // @ts-expect-error an unknown option
    expect(() => fakeEntities(job, { clock: () => 0 })).toThrow('unknown option "clock"');
  });
});
