import fc from "fast-check";
import { expect, it } from "vitest";
import { Random } from "../../faults/random.js";
import type { Entities } from "../../src/index.js";
import { all, client } from "../helpers/client.js";
import { type DialState, dial } from "../helpers/dial.js";

const COUNT = 230;
const seeds = fc.record({
  seed: fc.nat(),
  partitions: fc.constantFrom(1, 4),
  moves: fc.integer({ min: 1, max: 12 }),
});

async function filled(
  partitions: number,
  random: Random,
  states: readonly DialState[],
): Promise<Entities<DialState>> {
  const home = await client();
  await home.init(partitions);
  const list = await home.machine(dial);
  await Promise.all(
    Array.from({ length: COUNT }, async (_, n) => {
      await list.create(`x${n}`);
      await list.transition(`x${n}`, random.of(states));
    }),
  );
  return list;
}

/** Reads a whole list and changes entities at every step. */
async function readWhile(
  list: AsyncIterable<{ id: string }>,
  change: () => Promise<unknown>,
): Promise<string[]> {
  const met: string[] = [];
  let changing: Promise<unknown> = Promise.resolve();
  for await (const { id } of list) {
    met.push(id);
    // Continues before the changes are complete at every second step.
    await (met.length % 2 === 0 ? changing : undefined);
    changing = change();
  }
  await changing;
  return met.sort();
}

const everyone = Array.from({ length: COUNT }, (_, n) => `x${n}`).sort();

it("lists each entity once, wherever it moves meanwhile", async () => {
  await fc.assert(
    fc.asyncProperty(seeds, async ({ seed, partitions, moves }) => {
      const random = new Random(seed);
      const list = await filled(partitions, random, ["a", "b", "c"]);
      const met = await readWhile(list.list(), () =>
        Promise.all(
          Array.from({ length: moves }, () =>
            list.transition(`x${random.below(COUNT)}`, random.of(["a", "b", "c"])),
          ),
        ),
      );
      expect(met).toEqual(everyone);
    }),
    { numRuns: 4 },
  );
});

it("lists each entity once that stays within the listed states, and the others at most once", async () => {
  await fc.assert(
    fc.asyncProperty(seeds, async ({ seed, partitions, moves }) => {
      const random = new Random(seed);
      const list = await filled(partitions, random, ["a", "c"]);
      const met = await readWhile(list.list({ state: ["a", "c"] }), () =>
        Promise.all(
          Array.from({ length: moves }, async (_, n) => {
            // The first thirty move, are removed and created again; the others stay within the listed states.
            const id = `x${random.below(COUNT)}`;
            if (Number(id.slice(1)) >= 30) return list.transition(id, random.of(["a", "c"]));
            if (n % 5 === 0) await list.tryRemove(id);
            else if (n % 5 === 1) await list.tryCreate(id);
            return list.tryTransition(id, random.of(["a", "b", "c"]));
          }),
        ),
      );
      expect(new Set(met).size).toBe(met.length);
      const faithful = everyone.filter((id) => Number(id.slice(1)) >= 30);
      expect(met.filter((id) => Number(id.slice(1)) >= 30)).toEqual(faithful);
    }),
    { numRuns: 4 },
  );
});

it("lists each entity of one state once, although it enters the state repeatedly", async () => {
  await fc.assert(
    fc.asyncProperty(seeds, async ({ seed, partitions, moves }) => {
      const random = new Random(seed);
      const list = await filled(partitions, random, ["b"]);
      const met = await readWhile(list.list({ state: "b" }), () =>
        Promise.all(Array.from({ length: moves }, () => list.transition(`x${random.below(COUNT)}`, "b"))),
      );
      expect(met).toEqual(everyone);
    }),
    { numRuns: 4 },
  );
});

it("lists each entity once on pages if no listed entity moves back", async () => {
  const list = await filled(4, new Random(1), ["a", "b", "c"]);
  const expected = (await all(list.list())).map(({ id }) => id);
  const met: string[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await list.listPage({ limit: 13, ...(cursor !== undefined && { cursor }) });
    met.push(...page.items.map(({ id }) => id));
    ({ cursor } = page);
    if (cursor === undefined) break;
    // Listed entities leave, so the ranks of later ones change. None may be skipped.
    await Promise.all(met.slice(-13).map((id) => list.remove(id)));
  }
  expect(met).toEqual(expected);
});

it("ends with the entities that existed at the start, while entities are created faster than they are read", async () => {
  const list = await filled(1, new Random(2), ["a"]);
  let made = 0;
  const met = await readWhile(list.list(), async () => {
    if (made > 20 * COUNT) throw new Error("It does not end");
    await Promise.all([list.create(`new${made++}`), list.create(`new${made++}`)]);
  });
  expect(met.filter((id) => id.startsWith("x"))).toEqual(everyone);
  expect(made).toBe(2 * met.length);
});
