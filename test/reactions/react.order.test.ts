import { describe, expect, it } from "vitest";
import type { Change } from "../../src/index.js";
import { admin, connection } from "../helpers/calls.js";
import { gate, keyOf, nameOf, reacting, replicas } from "../helpers/reactions.js";

/** Records the events that replicas handle, and checks their order. */
class Witness {
  readonly ended: string[] = [];
  readonly wrong: string[] = [];
  readonly byReplica = new Map<number, number>();
  readonly #running = new Map<string, string>();
  readonly #last = new Map<string, number>();

  /** Runs one attempt of a handler; checks that no other runs for its entity, and that all earlier events are handled. */
  async watch(replica: number, change: Change, work: () => Promise<void>): Promise<void> {
    const name = nameOf(change);
    const other = this.#running.get(change.id);
    if (other !== undefined) this.wrong.push(`${name} while ${other} runs`);
    const last = this.#last.get(change.id) ?? 0;
    if (change.version !== last + 1) this.wrong.push(`${name} behind version ${last}`);
    this.#running.set(change.id, name);
    try {
      await work();
      this.#last.set(change.id, change.version);
      this.ended.push(name);
      this.byReplica.set(replica, (this.byReplica.get(replica) ?? 0) + 1);
    } finally {
      this.#running.delete(change.id);
    }
  }
}

describe("replicas that share a reaction", () => {
  it.each([1, 4])(
    "handle each event once, and those of an entity in order, while handlers fail: %i partitions",
    async (partitions) => {
      const { list } = await replicas(4, partitions);
      const witness = new Witness();
      const [first, ...rest] = list;
      let attempts = 0;
      for (const [replica, ours] of [first, ...rest].entries()) {
        await reacting(
          ours,
          (change) =>
            witness.watch(replica, change, async () => {
              await new Promise((resolve) => setImmediate(resolve));
              attempts += 1;
              if (attempts % 3 === 0) throw new Error("every third attempt fails");
            }),
          { concurrency: 3, deadLetterAfter: 1000 },
        );
      }
      const entities = Array.from({ length: 12 }, (_, n) => `x${n}`);
      await Promise.all(
        entities.map(async (id) => {
          await first.create(id);
          for (let n = 0; n < 14; n++) await first.transition(id, n % 2 === 0 ? "b" : "a");
        }),
      );
      await expect.poll(() => witness.ended.length).toBe(180);
      expect(witness.wrong).toEqual([]);
      expect(new Set(witness.ended).size).toBe(180);
      expect(witness.byReplica.size).toBeGreaterThan(1);
    },
    30_000,
  );

  it("delay the later events of an entity while one fails, and handle other entities in the meantime", async () => {
    const { list, namespace } = await replicas(2);
    const [one, two = one] = list;
    const met: string[] = [];
    let fails = true;
    const handler = (change: Change) => {
      if (change.id === "x1" && fails) throw new Error("not yet");
      met.push(nameOf(change));
    };
    await reacting(one, handler, { deadLetterAfter: 1000 });
    await reacting(two, handler, { deadLetterAfter: 1000 });
    await one.create("x1");
    for (const to of ["b", "c", "a"] as const) await one.transition("x1", to);
    for (let n = 2; n < 20; n++) await one.create(`x${n}`);
    await expect.poll(() => met.length).toBe(18);
    expect(met.some((name) => name.startsWith("x1@"))).toBe(false);
    fails = false;
    await expect.poll(() => met.slice(18)).toEqual(["x1@1", "x1@2", "x1@3", "x1@4"]);
    await expect.poll(async () => (await admin()).hlen(keyOf(namespace, "held"))).toBe(0);
  });

  it("handle the events of a closed replica, in order", async () => {
    const { list } = await replicas(2);
    const [one, two = one] = list;
    const begun = gate();
    const leaving = await reacting(
      one,
      () => {
        begun.open();
        throw new Error("never here");
      },
      { retries: { first: "1h", longest: "1h" } },
    );
    await one.create("x1");
    for (const to of ["b", "c", "a"] as const) await one.transition("x1", to);
    await begun.promise;
    const met: [string, number][] = [];
    const options = { takeOverAfter: "300ms" } as const;
    await reacting(two, (change, { attempt }) => void met.push([nameOf(change), attempt]), options);
    await leaving.close();
    await expect.poll(() => met.length).toBe(4);
    expect(met.map(([name]) => name)).toEqual(["x1@1", "x1@2", "x1@3", "x1@4"]);
    expect(met[0]?.[1]).toBeGreaterThanOrEqual(2);
  });
});

describe("a replica without heartbeats", () => {
  it("loses its events to another, in order, and its handler is aborted", async () => {
    const { list, namespace } = await replicas(2);
    const [one, two = one] = list;
    const [begun, aborted] = [gate(), gate<unknown>()];
    const sleeping: string[] = [];
    await reacting(
      one,
      async (change, { signal }) => {
        sleeping.push(nameOf(change));
        begun.open();
        await new Promise<void>((resolve) =>
          signal.addEventListener("abort", () => resolve(aborted.open(signal.reason))),
        );
      },
      { concurrency: 1 },
    );
    await one.create("x1");
    await one.transition("x1", "b");
    await begun.promise;
    const seen = keyOf(namespace, "seen");
    const valkey = await admin();
    const [sleeper = ""] = await valkey.zrange(seen, 0, -1);
    const met: string[] = [];
    await reacting(two, (change) => void met.push(nameOf(change)));
    // As if it had been stopped for long: its heartbeat is old when the other replica takes events.
    const plant = async () => {
      if (met.length === 0) await valkey.zadd(seen, "XX", 0, sleeper);
      return met.length;
    };
    await expect.poll(plant, { interval: 1 }).toBe(2);
    expect(met).toEqual(["x1@1", "x1@2"]);
    expect(String(await aborted.promise)).toContain("the event was reassigned to another replica");
    expect(sleeping).toEqual(["x1@1"]);
  });

  it("does not count as dead while its handler runs for long", async () => {
    const { list, namespace } = await replicas(2);
    const [one, two = one] = list;
    const [begun, hold] = [gate(), gate()];
    const met: string[] = [];
    const handler = (replica: number) => async (change: Change) => {
      begun.open();
      await hold.promise;
      met.push(`${replica} ${nameOf(change)}`);
    };
    await reacting(one, handler(1), { takeOverAfter: "2s" });
    await one.create("x1");
    await begun.promise;
    await reacting(two, handler(2), { takeOverAfter: "2s" });
    // Both send heartbeats while the handler has been running for longer than that.
    const marks = new Set<string>();
    const started = Number((await (await admin()).time())[0]);
    await expect
      .poll(
        async () => {
          const flat = await (await admin()).zrange(keyOf(namespace, "seen"), 0, -1, "WITHSCORES");
          for (let at = 1; at < flat.length; at += 2) marks.add(String(flat[at]));
          return Number((await (await admin()).time())[0]) - started;
        },
        { interval: 50 },
      )
      .toBeGreaterThanOrEqual(4);
    hold.open();
    await expect.poll(() => met).toEqual(["1 x1@1"]);
    expect(marks.size).toBeGreaterThan(2);
  });

  it("leaves its unfinished events to others if it crashed between delivery and handling", async () => {
    const { list, namespace } = await replicas(1);
    const [ours] = list;
    await (await reacting(ours, () => {})).close();
    for (const id of ["x1", "x2"]) await ours.create(id);
    await ours.transition("x1", "b");
    const died = await connection();
    await died.xreadgroup("GROUP", "r", "died", "COUNT", 10, "STREAMS", `{${namespace}:0}:dial:events`, ">");
    const met: string[] = [];
    await reacting(ours, (change) => void met.push(nameOf(change)));
    await expect.poll(() => met.length).toBe(3);
    expect(met.indexOf("x1@1")).toBeLessThan(met.indexOf("x1@2"));
    const consumers = (await (
      await admin()
    ).xinfo("CONSUMERS", `{${namespace}:0}:dial:events`, "r")) as unknown[][];
    expect(consumers.map(([, name]) => name)).not.toContain("died");
  });

  it("whose unfinished events were trimmed causes a report", async () => {
    const { list, namespace } = await replicas(1);
    const [ours] = list;
    const events = `{${namespace}:0}:dial:events`;
    await (await reacting(ours, () => {})).close();
    await ours.create("x1");
    await (await connection()).xreadgroup("GROUP", "r", "died", "COUNT", 10, "STREAMS", events, ">");
    await ours.create("x2");
    await (await admin()).xtrim(events, "MAXLEN", 1);
    const missed: unknown[] = [];
    const met: string[] = [];
    await reacting(ours, (change) => void met.push(nameOf(change)), {
      onMissed: (one) => void missed.push(one),
    });
    await expect.poll(() => met).toEqual(["x2@1"]);
    expect(missed).toMatchObject([{ count: 1 }]);
  });
});
