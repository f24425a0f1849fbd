import { describe, expect, it, onTestFinished } from "vitest";
import { Random } from "../../faults/random.js";
import type { Change } from "../../src/index.js";
import {
  type AttemptStart,
  type Delivery,
  ReactionGroup,
  type TakeOptions,
} from "../../src/reactions/group.js";
import { openConnection } from "../../src/valkey/open-connection.js";
import { admin } from "../helpers/calls.js";
import { begin, finish, keyOf, nameOf, replicas } from "../helpers/reactions.js";
import { useValkey } from "../helpers/valkey.js";

/** Makes consumers of one reaction that only do single steps, each of them one script. */
async function stage() {
  const { list, namespace } = await replicas(1);
  const { url } = await useValkey();
  const connection = await openConnection({ url });
  onTestFinished(() => connection.close());
  const location = { namespace, machine: "dial", partitions: 1 };
  const consumer = (name: string) => new ReactionGroup(connection, location, 0, "r", name);
  await consumer("any").create("start");
  return {
    ours: list[0],
    consumer,
    /** Makes a consumer count as dead. */
    die: async (name: string) => void (await (await admin()).zadd(keyOf(namespace, "seen"), 0, name)),
    seen: async () => (await admin()).zrange(keyOf(namespace, "seen"), 0, -1),
    held: async () => (await admin()).hgetall(keyOf(namespace, "held")),
    waiting: async () => (await admin()).zcard(keyOf(namespace, "waiting")),
  };
}

function takeOf(count: number): TakeOptions {
  return { count, takeOverMs: 600_000, delayMs: 0, types: [] };
}

/** Takes events, and returns all events of the consumer. */
async function take(group: ReactionGroup, count = 10): Promise<readonly Delivery[]> {
  group.reset();
  return (await group.take(takeOf(count))).deliveries;
}

function changeOf({ text }: AttemptStart): Change {
  return JSON.parse(text ?? "") as Change;
}

async function begunName(group: ReactionGroup, event: Delivery): Promise<string | undefined> {
  const begun = await begin(group, event);
  return begun && nameOf(changeOf(begun));
}

describe("the events of an entity", () => {
  it("are delivered one after the other, in order, also after the first was reassigned", async () => {
    const { ours, consumer, die, held, waiting } = await stage();
    const [a, b] = [consumer("a"), consumer("b")];
    await ours.create("x1");
    const first = await take(a);
    for (const to of ["b", "c"] as const) await ours.transition("x1", to);
    expect(await take(b)).toEqual([]);
    expect(await take(a)).toEqual(first);
    expect(await waiting()).toBe(2);
    await die("a");
    expect(await take(b)).toEqual(first);
    const names: (string | undefined)[] = [];
    for (let [event] = first as [Delivery | null]; event !== null; ) {
      names.push(await begunName(b, event));
      event = (await finish(b, event)) ?? null;
    }
    expect(names).toEqual(["x1@1", "x1@2", "x1@3"]);
    expect([await held(), await waiting()]).toEqual([{}, 0]);
  });

  it("cannot be begun or finished by their previous consumer after they were reassigned", async () => {
    const { ours, consumer, die } = await stage();
    const [a, b] = [consumer("a"), consumer("b")];
    await ours.create("x1");
    const [event] = await take(a);
    if (event === undefined) throw new Error("nothing was delivered");
    expect(await begunName(a, event)).toBe("x1@1");
    await die("a");
    expect(await take(b)).toEqual([event]);
    expect(await a.owns(event)).toBe(false);
    expect(await begunName(a, event)).toBeUndefined();
    expect(await finish(a, event)).toBeUndefined();
    expect(await finish(a, event, { how: "dead", error: "an error", text: "{}" })).toBeUndefined();
    const begun = await begin(b, event);
    expect(begun?.attempt).toBe(2);
    expect(await finish(b, event)).toBeNull();
  });

  it("lose an attempt that their consumer takes back, once", async () => {
    const { ours, consumer, die } = await stage();
    const [a, b] = [consumer("a"), consumer("b")];
    await ours.create("x1");
    const [event] = await take(a);
    if (event === undefined) throw new Error("nothing was delivered");
    const tryIt = async (group: ReactionGroup, call = group.nextCall()) => {
      const begun = await group.begin(event, call, 10, true);
      return [begun?.attempt, call] as const;
    };
    const [[one], [two, second]] = [await tryIt(a), await tryIt(a)];
    expect([one, two]).toEqual([1, 2]);
    await a.pause(event, second, a.nextCall(), "stopped");
    await a.pause(event, second, a.nextCall(), "stopped");
    await b.pause(event, second, b.nextCall(), "stopped");
    const [again, third] = await tryIt(a);
    expect(again).toBe(2);
    expect(await tryIt(a, third)).toEqual([2, third]);
    await die("a");
    expect(await take(b)).toEqual([event]);
    await a.pause(event, third, a.nextCall(), "stopped");
    const [last, fourth] = await tryIt(b);
    expect(last).toBe(3);
    expect(await finish(b, event)).toBeNull();
    await b.pause(event, fourth, b.nextCall(), "stopped");
  });

  it("do not count an attempt that is taken back before its begin arrives, nor one that arrives late", async () => {
    const { ours, consumer } = await stage();
    const a = consumer("a");
    await ours.create("x1");
    const [event] = await take(a);
    if (event === undefined) throw new Error("nothing was delivered");
    const [early, late] = [a.nextCall(), a.nextCall()];
    await a.pause(event, late, a.nextCall(), "stopped");
    expect(await a.begin(event, late, 10, true)).toBeUndefined();
    expect(await a.begin(event, early, 10, true)).toBeUndefined();
    expect((await begin(a, event))?.attempt).toBe(1);
    expect(await a.begin(event, late, 10, true)).toBeUndefined();
    expect((await begin(a, event))?.attempt).toBe(2);
    expect(await a.finish(event, early, late, { how: "done" })).toBeUndefined();
    expect(await a.owns(event)).toBe(true);
  });

  it("are reported as finished to the consumer that finished them, on each repeated call, and to no other", async () => {
    const { ours, consumer, die } = await stage();
    const [a, b] = [consumer("a"), consumer("b")];
    await ours.create("x1");
    const [event] = await take(a);
    if (event === undefined) throw new Error("nothing was delivered");
    const [begun, call] = [a.nextCall(), a.nextCall()];
    await a.begin(event, begun, 10, true);
    const end = () => a.finish(event, begun, call, { how: "dead", error: "e", text: "{}" });
    expect([await end(), await end()]).toEqual([null, null]);
    expect(await (await admin()).xlen(a.keys.deadLetters)).toBe(1);
    await ours.create("x2");
    const [other] = await take(a);
    if (other === undefined) throw new Error("nothing was delivered");
    const late = a.nextCall();
    await a.begin(other, late, 10, true);
    await die("a");
    await take(b);
    expect(await finish(b, other)).toBeNull();
    await take(a);
    expect(await a.finish(other, late, a.nextCall(), { how: "done" })).toBeUndefined();
  });

  it("are handled before a dead letter of it that is retried, in order", async () => {
    const { ours, consumer } = await stage();
    const a = consumer("a");
    await ours.create("x1");
    const [first] = await take(a);
    if (first === undefined) throw new Error("nothing was delivered");
    const start = await begin(a, first);
    await finish(a, first, { how: "dead", error: "e", text: start?.text ?? "" });
    await ours.transition("x1", "b");
    const [second] = await take(a);
    const [letter] = await (await admin()).xrange(a.keys.deadLetters, "-", "+");
    await (await admin()).xclaim(a.keys.deadLetters, "r", "retry", 0, letter?.[0] ?? "", "FORCE", "JUSTID");
    expect(await take(a)).toEqual([second]);
    await ours.transition("x1", "c");
    expect(await take(a)).toEqual([second]);
    const names: (string | undefined)[] = [];
    for (let event = second ?? null; event !== null; ) {
      names.push(`${event.mark} ${await begunName(a, event)}`);
      event = (await finish(a, event)) ?? null;
    }
    expect(names).toEqual(["e x1@2", "e x1@3", "d x1@1"]);
    expect(await (await admin()).xlen(a.keys.deadLetters)).toBe(0);
  });

  it("are reported as a gap if they were trimmed while they waited, and the next one is delivered", async () => {
    const { ours, consumer, held, waiting } = await stage();
    const a = consumer("a");
    await ours.create("x1");
    const [first] = await take(a);
    if (first === undefined) throw new Error("nothing was delivered");
    for (let n = 0; n < 300; n++) await ours.patch("x1", { set: { n } });
    await expect.poll(async () => (await take(a)) && waiting()).toBe(300);
    await (await admin()).xtrim(a.keys.events, "MAXLEN", 1);
    const next = await finish(a, first);
    expect(next && (await begunName(a, next))).toBe("x1@301");
    const { missed } = await a.take(takeOf(0));
    expect(missed).toMatchObject({ partition: 0, count: 49 }); // a bounded portion
    expect(next && (await finish(a, next))).toBeNull();
    await expect.poll(async () => (await take(a)) && waiting()).toBe(0);
    const gaps = await (await admin()).xrange(a.keys.deadLetters, "-", "+");
    expect(gaps.map(([, fields]) => Number(fields[5])).reduce((sum, size) => sum + size)).toBe(299);
    expect(await held()).toEqual({});
  });

  it("count an attempt during which their consumer crashed only if no other attempt ran there", async () => {
    const { ours, consumer, die } = await stage();
    const [a, b, c] = [consumer("a"), consumer("b"), consumer("c")];
    for (const id of ["x1", "x2", "x3"]) await ours.create(id);
    const [one, two, three] = await take(a);
    if (!one || !two || !three) throw new Error("nothing was delivered");
    for (const event of [one, two]) await a.begin(event, a.nextCall(), 1, false);
    const failed = a.nextCall();
    await a.begin(three, failed, 2, false);
    expect(await a.pause(three, failed, a.nextCall(), "failed")).toBe(true);
    await die("a");
    expect((await take(b)).map(({ entity, excused }) => [entity, excused])).toEqual([
      ["x1", 1],
      ["x2", 1],
      ["x3", 0],
    ]);
    expect(await b.begin(three, b.nextCall(), 2, false)).toMatchObject({ attempt: 2, left: 0 });
    expect(await b.begin(one, b.nextCall(), 1, true)).toMatchObject({ attempt: 2, left: 0 });
    await die("b");
    expect((await take(c)).map(({ entity, excused }) => [entity, excused])).toEqual([
      ["x1", 1],
      ["x2", 1],
      ["x3", 1],
    ]);
    expect(await c.begin(one, c.nextCall(), 1, true)).toMatchObject({ attempt: 2, left: -1 });
    expect(await c.begin(two, c.nextCall(), 1, true)).toMatchObject({ attempt: 2, left: 0 });
  });

  it("are assigned or wait in bounded portions, however many there are", async () => {
    const { ours, consumer, waiting, die } = await stage();
    const [a, b] = [consumer("a"), consumer("b")];
    const valkey = await admin();
    await ours.create("x1");
    const [first] = await take(a);
    for (let n = 0; n < 120; n++) await ours.patch("x1", { set: { n } });
    const grown: number[] = [];
    for (let size = 0; size < 120; grown.push(size)) {
      const { deliveries } = await a.take(takeOf(1000));
      expect(deliveries).toEqual([]);
      size = await waiting();
    }
    expect(grown).toEqual([50, 100, 120]);
    expect(await valkey.xpending(a.keys.events, "r", "-", "+", 1000, "a")).toHaveLength(1);
    for (let n = 0; n < 120; n++) await ours.create(`y${n}`);
    await valkey.xreadgroup("GROUP", "r", "a", "COUNT", 1000, "STREAMS", a.keys.events, ">");
    await die("a");
    const sizes: number[] = [];
    for (let more = true; more; ) {
      const { deliveries, hasMore } = await b.take(takeOf(1000));
      sizes.push(deliveries.length);
      more = hasMore;
    }
    expect(sizes).toEqual([50, 50, 21]);
    expect(await b.owns(first ?? { mark: "e", id: "0-0", entity: "", excused: 0 })).toBe(true);
  });

  it("of a dead consumer go to others in portions as large as they ask for", async () => {
    const { ours, consumer, die } = await stage();
    const [a, b, c] = [consumer("a"), consumer("b"), consumer("c")];
    for (const id of ["x1", "x2", "x3"]) await ours.create(id);
    const events = await take(a);
    await die("a");
    expect(await take(b, 2)).toEqual(events.slice(0, 2));
    expect(await take(c, 2)).toEqual(events.slice(2));
  });
});

describe("a consumer that only joined", () => {
  it("takes nothing, counts while it is live, and is removed when it is dead", async () => {
    const { ours, consumer, die, seen } = await stage();
    const [a, b] = [consumer("a"), consumer("b")];
    await ours.create("x1");
    await a.join({ takeOverMs: 600_000, delayMs: 0, types: [] });
    expect(await seen()).toEqual(["a"]);
    expect(await take(b)).toHaveLength(1);
    expect((await seen()).sort()).toEqual(["a", "b"]);
    await die("a");
    await take(b);
    expect(await seen()).toEqual(["b"]);
  });
});

describe.each([1, 2, 3, 4, 5])("consumers that join and crash at random, run %i", (seed) => {
  it("finish each event once and in order, and begin none before the previous one is finished", async () => {
    const { ours, consumer, die, held } = await stage();
    const random = new Random(seed);
    const pick = (n: number): number => random.below(n);
    const actors = new Map<string, { group: ReactionGroup; queues: Map<string, Delivery[]> }>();
    const join = (name: string) => actors.set(name, { group: consumer(name), queues: new Map() });
    for (const name of ["c0", "c1", "c2"]) join(name);
    const versions = new Map<string, number>();
    const finished = new Map<string, number>();
    const isOpen = () => [...versions].some(([id, version]) => finished.get(id) !== version);
    for (let step = 0; step < 400 || isOpen(); step += 1) {
      if (step > 5_000) throw new Error("the run does not end");
      const names = [...actors.keys()];
      const name = names[pick(names.length)] ?? "";
      const actor = actors.get(name);
      if (actor === undefined) throw new Error("no consumer");
      const dice = pick(100);
      if (step < 400 && dice < 30) {
        const id = `x${pick(4)}`;
        const version = (versions.get(id) ?? 0) + 1;
        if (version === 1) await ours.create(id);
        else await ours.transition(id, "b");
        versions.set(id, version);
      } else if (dice < 60) {
        const known = new Set([...actor.queues.values()].flat().map(({ id }) => id));
        for (const event of await take(actor.group, pick(3))) {
          if (known.has(event.id)) continue;
          actor.queues.set(event.entity, [...(actor.queues.get(event.entity) ?? []), event]);
        }
      } else if (step < 400 && dice < 64) {
        await die(name);
        actors.delete(name);
        join(`c${step + 3}`);
      } else {
        const queues = [...actor.queues.values()].filter(({ length }) => length > 0);
        const queue = queues[pick(queues.length)];
        const [event] = queue ?? [];
        if (queue === undefined || event === undefined) continue;
        const begun = await actor.group.begin(event, actor.group.nextCall(), 1000, pick(2) === 0);
        if (begun === undefined) {
          queue.shift();
          continue;
        }
        const { id, version } = changeOf(begun);
        expect(`${id}@${version}`).toBe(`${id}@${(finished.get(id) ?? 0) + 1}`);
        if (pick(10) < 4) continue; // its handler failed
        const next = await finish(actor.group, event);
        expect(next).not.toBeUndefined();
        finished.set(id, version);
        queue.shift();
        if (next) queue.push(next);
      }
    }
    expect(await held()).toEqual({});
  });
});
