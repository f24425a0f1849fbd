import { beforeEach, describe, expect, it, vi } from "vitest";
import { type Change, defineMachine, Entities, type EntitiesOf } from "../../src/index.js";
import { type FakeEntities, fakeEntities } from "../../src/testing/index.js";

const order = defineMachine({
  name: "order",
  version: 1,
  initial: "open",
  states: {
    open: { to: ["paid", "lost"], timeout: { after: "1h", to: "lost" } },
    paid: { to: ["shipped", "lost"], lease: { for: "1m", to: "lost" }, stamp: "paidAt" },
    shipped: { retain: "1d" },
    lost: {},
  },
});

let orders: FakeEntities<typeof order>;
let nowMs: number;
beforeEach(() => {
  nowMs = Date.UTC(2026, 0, 1);
  orders = fakeEntities(order, { now: () => nowMs });
});

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

it("fakeEntities returns Entities, and overrides every method that needs a server", () => {
  const typed: EntitiesOf<typeof order> = orders;
  expect(typed).toBeInstanceOf(Entities);
  expect([typed.name, typed.definition.initial]).toEqual(["order", "open"]);
  // These call others, or only read the definition.
  const derived = ["create", "transition", "patch", "remove", "restore", "heartbeat", "name", "definition"];
  const own = Object.getOwnPropertyNames(Object.getPrototypeOf(typed));
  const missing = Object.getOwnPropertyNames(Entities.prototype).filter((name) => !own.includes(name));
  expect(missing.sort()).toEqual(derived.sort());
});

it("the option actor names who makes the changes of which the call names nobody", async () => {
  const named = fakeEntities(order, { actor: () => "tester" });
  await named.create("a");
  await named.transition("a", "paid", { actor: "customer" });
  expect((await named.history("a")).map(({ actor }) => actor)).toEqual(["tester", "customer"]);
  expect(() => fakeEntities(order, { actor: 1 as unknown as string })).toThrow("actor must be text");
});

describe("timers of entities in memory", () => {
  it("fire in a sweep, by the clock of the option", async () => {
    await orders.create("a");
    await orders.create("b");
    await orders.transition("b", "paid");
    nowMs += 60_000;
    expect(await orders.sweep({ once: true })).toEqual({ expired: 1, removed: 0, given: 0, stuck: 0 });
    nowMs += 3_540_000;
    const changes: Change[] = [];
    await orders.sweep({ once: true, onChange: (change) => changes.push(change) });
    expect(changes).toMatchObject([
      { id: "a", state: "lost", actor: "latchkey", reason: expect.stringContaining("timeout of 1h") },
    ]);
  });

  it("remove an entity after its retention", async () => {
    await orders.create("a");
    await orders.transition("a", "paid");
    await orders.transition("a", "shipped");
    nowMs += 86_400_000;
    expect(await orders.sweep({ once: true })).toMatchObject({ removed: 1 });
    expect(await orders.get("a")).toBeNull();
  });

  it("fire by fake timers, which move the default clock", async () => {
    vi.useFakeTimers();
    try {
      const faked = fakeEntities(order);
      const stopping = new AbortController();
      const sweeping = faked.sweep({ interval: "1s", signal: stopping.signal });
      await faked.create("a");
      await vi.advanceTimersByTimeAsync(3_601_000);
      expect((await faked.get("a"))?.state).toBe("lost");
      stopping.abort();
      expect(await sweeping).toMatchObject({ expired: 1 });
    } finally {
      vi.useRealTimers();
    }
  });
});

describe("the event log of entities in memory", () => {
  it("is read from a cursor, and followed", async () => {
    await orders.create("a");
    const start = orders.events({ after: "start", follow: false });
    expect(await all(start)).toMatchObject([{ type: "order.open", id: "a" }]);
    const { cursor = "" } = start;
    const stopping = new AbortController();
    const following = orders.events({ after: cursor, signal: stopping.signal })[Symbol.asyncIterator]();
    const next = following.next();
    await orders.transition("a", "paid");
    expect((await next).value).toMatchObject({ type: "order.paid", from: "open", version: 2 });
    await orders.remove("a");
    expect((await following.next()).value).toMatchObject({ type: "order.removed" });
    const last = following.next();
    stopping.abort();
    expect(await last).toEqual({ done: true, value: undefined });
    await expect(all(orders.events({ after: "1-0@00000000", follow: false }))).rejects.toMatchObject({
      code: "GAP",
      reason: "lost",
    });
    expect(await all(orders.events({ after: new Date(nowMs), follow: false }))).toHaveLength(3);
    expect(await all(orders.events({ after: new Date(nowMs + 1), follow: false }))).toEqual([]);
  });

  it("reaches subscribers in order until they close, and a listener may make changes", async () => {
    const received: string[] = [];
    const subscription = await orders.subscribe(async ({ type, id, state }) => {
      received.push(type);
      if (state === "open") await orders.transition(id, "paid");
    });
    await orders.create("a");
    await orders.waitFor("a", "paid");
    await orders.transition("a", "shipped");
    await orders.handled();
    await subscription.close();
    await orders.remove("a");
    expect(received).toEqual(["order.open", "order.paid", "order.shipped"]);
  });

  it("ends a wait, with the errors of a server", async () => {
    await orders.create("a");
    const waiting = orders.waitFor("a", ["shipped"]);
    const seen = orders.waitFor("a", ({ paidAt }) => paidAt !== undefined);
    await orders.transition("a", "paid");
    expect((await seen).state).toBe("paid");
    await orders.transition("a", "lost");
    await expect(waiting).rejects.toMatchObject({
      code: "FINAL",
      message: expect.stringContaining("order a is lost"),
    });
    await expect(orders.waitFor("b", "paid")).rejects.toMatchObject({ code: "NOTFOUND" });
    await orders.create("c");
    await expect(orders.waitFor("c", "paid", { timeout: 1 })).rejects.toMatchObject({ code: "TIMEDOUT" });
    // @ts-expect-error a state that the machine does not have
    await expect(orders.waitFor("c", "payed")).rejects.toThrow('unknown state "payed"');
  });
});

describe("a hold in memory", () => {
  it("renews the lease, accepts own changes and reports its loss", async () => {
    await orders.create("a");
    const { version } = await orders.transition("a", "paid");
    const lost = vi.fn();
    const hold = await orders.hold("a", { version, onLost: lost });
    nowMs += 59_000;
    await orders.heartbeat("a");
    nowMs += 59_000;
    expect(await orders.sweep({ once: true })).toMatchObject({ expired: 0 });
    await hold.change((ifVersion) => orders.patch("a", { set: { step: 2 }, ifVersion }));
    await orders.transition("a", "lost");
    await expect(
      hold.change((ifVersion) => orders.patch("a", { set: { step: 3 }, ifVersion })),
    ).rejects.toMatchObject({
      code: "CONFLICT",
    });
    expect(hold.signal.aborted).toBe(true);
    expect(lost).toHaveBeenCalledOnce();
    await hold.close();
    await expect(orders.hold("a")).rejects.toMatchObject({ code: "ILLEGAL", name: "NoLeaseError" });
  });
});
