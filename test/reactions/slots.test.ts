import { expect, it } from "vitest";
import { Slots } from "../../src/reactions/slots.js";
import { gate } from "../helpers/reactions.js";

/** Records which tasks run at once, and ends them by name. */
function tasks(slots: Slots) {
  const running = new Set<string>();
  const most = new Map<string, number>();
  const ends = new Map<string, () => void>();
  return {
    running,
    most,
    end: (name: string) => ends.get(name)?.(),
    start: (name: string, limit: number) => {
      const { promise, open } = gate();
      ends.set(name, open);
      return slots.use(limit, async () => {
        running.add(name);
        for (const one of running) most.set(one, Math.max(most.get(one) ?? 0, running.size));
        await promise;
        running.delete(name);
      });
    },
  };
}

it("as many tasks run at once as there are slots, and further ones start in order", async () => {
  const { running, start, end } = tasks(new Slots(2));
  const all = ["a", "b", "c"].map((name) => start(name, 2));
  await expect.poll(() => [...running]).toEqual(["a", "b"]);
  end("a");
  await expect.poll(() => [...running]).toEqual(["b", "c"]);
  end("b");
  end("c");
  await Promise.all(all);
});

it("a task with a lower limit starts when few enough run, and further ones wait until it has ended", async () => {
  const { running, most, start, end } = tasks(new Slots(3));
  const all = [start("a", 3), start("b", 3), start("suspect", 1), start("c", 3), start("pair", 2)];
  await expect.poll(() => [...running]).toEqual(["a", "b"]);
  end("a");
  end("b");
  await expect.poll(() => [...running]).toEqual(["suspect"]);
  end("suspect");
  await expect.poll(() => [...running]).toEqual(["c", "pair"]);
  end("c");
  end("pair");
  await Promise.all(all);
  expect([most.get("suspect"), most.get("pair")]).toEqual([1, 2]);
});

it("a task that fails frees its slot", async () => {
  const slots = new Slots(1);
  await expect(slots.use(1, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await slots.use(1, async () => "next")).toBe("next");
});

it("a task that leaves its place for a promise lets another one run, and gets a place again afterwards", async () => {
  const slots = new Slots(1);
  const [reply, hold] = [gate<string>(), gate()];
  const log: string[] = [];
  const first = slots.use(1, async ({ leaveFor }) => {
    log.push("first leaves");
    log.push(await leaveFor(reply.promise));
  });
  const second = slots.use(1, async () => {
    log.push("second runs");
    reply.open("first is back");
    await hold.promise;
    log.push("second ends");
  });
  await reply.promise;
  hold.open();
  await Promise.all([first, second]);
  expect(log).toEqual(["first leaves", "second runs", "second ends", "first is back"]);
  const failing = slots.use(1, ({ leaveFor }) => leaveFor(Promise.reject(new Error("lost"))));
  await expect(failing).rejects.toThrow("lost");
  expect(await slots.use(1, async () => "free")).toBe("free");
});
