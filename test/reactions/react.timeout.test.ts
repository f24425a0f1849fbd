import { describe, expect, it } from "vitest";
import { all } from "../helpers/client.js";
import { gate, nameOf, reacting, replicas } from "../helpers/reactions.js";

/** Waits until a signal aborts. @returns the code of its reason */
async function aborted(signal: AbortSignal): Promise<unknown> {
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  return signal.reason.code;
}

describe("a handler that exceeds handlerTimeout", () => {
  it("is aborted, and its event is retried before the next event of the entity", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    const met: unknown[] = [];
    await reacting(
      ours,
      async (change, { attempt, signal }) => {
        met.push([nameOf(change), attempt]);
        if (change.version === 1 && attempt === 1) met.push(await aborted(signal));
      },
      { handlerTimeout: 50 },
    );
    await ours.create("x1");
    await ours.transition("x1", "b");
    await expect.poll(() => met.length).toBe(4);
    expect(met).toEqual([["x1@1", 1], "TIMEDOUT", ["x1@1", 2], ["x1@2", 1]]);
  });

  it("has failed even if it returns after that, and does not run beside its retry", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    const hold = gate();
    const met: unknown[] = [];
    await reacting(
      ours,
      async (_, { attempt, signal }) => {
        met.push(attempt);
        if (attempt > 1) return;
        met.push(await aborted(signal));
        await hold.promise;
        met.push("returned");
      },
      { handlerTimeout: "2s" },
    );
    await ours.create("x1");
    await expect.poll(() => met, { timeout: 10_000 }).toEqual([1, "TIMEDOUT"]);
    hold.open();
    await expect.poll(() => met, { timeout: 10_000 }).toEqual([1, "TIMEDOUT", "returned", 2]);
  });

  it("makes its event a dead letter after the last attempt, and delays no other event for longer", async () => {
    const { list } = await replicas(1);
    const [ours] = list;
    const met: string[] = [];
    const never = gate();
    const reaction = await reacting(
      ours,
      async (change) => {
        met.push(nameOf(change));
        if (change.version === 1) await never.promise;
      },
      { handlerTimeout: 20, deadLetterAfter: 2, concurrency: 1 },
    );
    await ours.create("x1");
    await ours.transition("x1", "b");
    await expect.poll(() => met).toEqual(["x1@1", "x1@1", "x1@2"]);
    const letters = await all(ours.deadLetters("r"));
    expect(letters).toMatchObject([
      { attempts: 2, error: "the handler took longer than handlerTimeout (20ms)" },
    ]);
    await reaction.close();
    never.open();
  });
});
