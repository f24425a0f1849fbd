import { describe, expect, it, onTestFinished } from "vitest";
import { type Assignment, ReactionGroup } from "../src/events/reaction-group.js";
import type { Change } from "../src/index.js";
import { openConnection } from "../src/valkey/connection.js";
import { admin } from "./helpers/calls.js";
import { Random } from "./helpers/random.js";
import { keyOf, nameOf, replicas } from "./helpers/reactions.js";
import { useValkey } from "./helpers/valkey.js";

/** Consumers of one reaction, which do only what a test tells them, each step one script. */
async function stage() {
  const { list, namespace } = await replicas(1);
  const { url } = await useValkey();
  const connection = await openConnection({ url });
  onTestFinished(() => connection.close());
  const place = { namespace, machine: "dial", partitions: 1 };
  const consumer = (name: string) => new ReactionGroup(connection, place, 0, "r", name);
  await consumer("any").create("start");
  return {
    ours: list[0],
    consumer,
    /** From now on a consumer counts as dead. */
    die: async (name: string) => void (await (await admin()).zadd(keyOf(namespace, "seen"), 0, name)),
    seen: async () => (await admin()).zrange(keyOf(namespace, "seen"), 0, -1),
    held: async () => (await admin()).hgetall(keyOf(namespace, "held")),
  };
}

/** Takes events, and asks for all that is the consumer's, as after a lost answer. What is taken over comes twice then. */
async function take(group: ReactionGroup, count = 10): Promise<Assignment[]> {
  const { given } = await group.take({ count, after: "0-0", takeOverMs: 600_000, types: [] });
  return [...new Map(given.map((event) => [event.id, event])).values()];
}

async function begin(group: ReactionGroup, event: Assignment | undefined): Promise<string | undefined> {
  if (event === undefined) throw new Error("There is no event to begin");
  const begun = await group.begin(event);
  return begun && nameOf(JSON.parse(begun.text) as Change);
}

describe("of an entity's events", () => {
  it("those that come later go to whoever has an earlier one, also after it was taken over", async () => {
    const { ours, consumer, die, held } = await stage();
    const [a, b, c] = [consumer("a"), consumer("b"), consumer("c")];
    await ours.create("x1");
    const first = await take(a);
    await ours.transition("x1", "b");
    expect(await take(b)).toEqual([]);
    await die("a");
    expect((await take(b)).map(({ id }) => id)).toEqual([first[0]?.id, expect.any(String)]);
    await ours.transition("x1", "c");
    expect(await take(c)).toEqual([]);
    const all = await take(b);
    expect(all).toHaveLength(3);
    for (const event of all) {
      await begin(b, event);
      expect(await b.finish(event)).toBe(true);
    }
    expect(await held()).toEqual({});
  });

  it("one that was taken over is not begun, nor finished, by who had it before", async () => {
    const { ours, consumer, die } = await stage();
    const [a, b] = [consumer("a"), consumer("b")];
    await ours.create("x1");
    const [event] = await take(a);
    if (event === undefined) throw new Error("It was given nothing");
    expect(await begin(a, event)).toBe("x1@1");
    await die("a");
    expect(await take(b)).toEqual([event]);
    expect(await a.owns(event)).toBe(false);
    expect(await begin(a, event)).toBeUndefined();
    expect(await a.finish(event)).toBe(false);
    expect(await a.finish(event, ["an error", "{}"])).toBe(false);
    const begun = await b.begin(event);
    expect(begun?.attempt).toBe(2);
    expect(await b.finish(event)).toBe(true);
    expect(await b.finish(event)).toBe(false);
  });

  it("a try that is taken back counts no more, and only by who has the event, and once", async () => {
    const { ours, consumer, die } = await stage();
    const [a, b] = [consumer("a"), consumer("b")];
    await ours.create("x1");
    const [event] = await take(a);
    if (event === undefined) throw new Error("It was given nothing");
    const tryIt = async (group: ReactionGroup) => (await group.begin(event))?.attempt;
    expect([await tryIt(a), await tryIt(a)]).toEqual([1, 2]);
    await a.uncount(event, 2);
    await a.uncount(event, 2);
    await b.uncount(event, 1);
    expect(await tryIt(a)).toBe(2);
    await die("a");
    expect(await take(b)).toEqual([event]);
    await a.uncount(event, 2);
    expect(await tryIt(b)).toBe(3);
    expect(await b.finish(event)).toBe(true);
    await b.uncount(event, 3);
  });

  it("all of a dead consumer's go to one other, whoever comes first", async () => {
    const { ours, consumer, die } = await stage();
    const [a, b, c] = [consumer("a"), consumer("b"), consumer("c")];
    for (const id of ["x1", "x2", "x3"]) await ours.create(id);
    await take(a);
    await die("a");
    const [one, two] = await Promise.all([take(b), take(c)]);
    expect([one.length, two.length].sort()).toEqual([0, 3]);
  });
});

describe("a consumer that only told that it is there", () => {
  it("takes nothing, counts while it lives, and is forgotten when it died", async () => {
    const { ours, consumer, die, seen } = await stage();
    const [a, b] = [consumer("a"), consumer("b")];
    await ours.create("x1");
    await a.join({ after: "0-0", takeOverMs: 600_000, types: [] });
    expect(await seen()).toEqual(["a"]);
    expect(await take(b)).toHaveLength(1);
    expect((await seen()).sort()).toEqual(["a", "b"]);
    await die("a");
    await take(b);
    expect(await seen()).toEqual(["b"]);
  });
});

describe.each([1, 2, 3, 4, 5])("consumers that come and die at random, run %i", (seed) => {
  it("finish each event once and in order, and begin none before those in front of it are finished", async () => {
    const { ours, consumer, die, held } = await stage();
    const random = new Random(seed);
    const pick = (n: number): number => random.below(n);
    const actors = new Map<string, { group: ReactionGroup; queues: Map<string, Assignment[]> }>();
    const join = (name: string) => actors.set(name, { group: consumer(name), queues: new Map() });
    for (const name of ["c0", "c1", "c2"]) join(name);
    const versions = new Map<string, number>();
    const finished = new Map<string, number>();
    const isOpen = () => [...versions].some(([id, version]) => finished.get(id) !== version);
    for (let step = 0; step < 400 || isOpen(); step += 1) {
      if (step > 5_000) throw new Error("It does not come to an end");
      const names = [...actors.keys()];
      const name = names[pick(names.length)] ?? "";
      const actor = actors.get(name);
      if (actor === undefined) throw new Error("Nobody is there");
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
        const begun = await actor.group.begin(event);
        if (begun === undefined) {
          queue.shift();
          continue;
        }
        const { id, version } = JSON.parse(begun.text) as Change;
        expect(`${id}@${version}`).toBe(`${id}@${(finished.get(id) ?? 0) + 1}`);
        if (pick(10) < 4) continue; // its handler failed
        expect(await actor.group.finish(event)).toBe(true);
        finished.set(id, version);
        queue.shift();
      }
    }
    expect(await held()).toEqual({});
  });
});
