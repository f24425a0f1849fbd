import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { gather } from "../../faults/check/gather.js";
import { linear } from "../../faults/check/linear/linear.js";
import { witness } from "../../faults/check/witness/witness.js";
import { addScores, MUTATIONS, type MutationScore, mutationScore, mutationTable } from "./mutations/score.js";
import { simulate } from "./simulation/simulate.js";

describe("a correct history", () => {
  const optionsArb = fc.record({
    seed: fc.nat(),
    calls: fc.integer({ min: 1, max: 300 }),
    ids: fc.integer({ min: 1, max: 6 }),
    concurrent: fc.integer({ min: 1, max: 12 }),
    unknown: fc.constantFrom(0, 0.02, 0.2),
    jumps: fc.constantFrom(0, 4),
    copies: fc.constantFrom(0, 0.3),
    segment: fc.constantFrom(40, 1000),
  });

  it("passes both checkers with unknown, late, retried and copied calls, removals and clock changes", async () => {
    await fc.assert(
      fc.asyncProperty(optionsArb, async (options) => {
        const { segment, ...rest } = options;
        const facts = await gather(simulate(rest));
        expect(witness(facts)).toMatchObject({ violations: [], lost: [] });
        expect(linear(facts, { segment, budget: 200_000 }).violations).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it("passes if a call that began before the segment was applied before a read that did not see it", async () => {
    const options = { seed: 863672808, calls: 181, ids: 2, concurrent: 6, unknown: 0, jumps: 0 };
    expect(linear(await gather(simulate(options)), { segment: 40 }).violations).toEqual([]);
  });

  it("passes if two lives of an id have one creation time, and nobody read the end of the first", async () => {
    const options = { seed: 8127103, calls: 194, ids: 2, concurrent: 4, unknown: 0, jumps: 4 };
    expect(linear(await gather(simulate(options)), { segment: 5 }).violations).toEqual([]);
  });

  it("passes in any order of its processes in the file", async () => {
    const records = simulate({ seed: 3, calls: 300 });
    const isOf = (record: object, process: string): boolean =>
      "process" in record && record.process === process;
    const [run, ...rest] = records;
    if (run === undefined) throw new Error("There is no history");
    const own = ["worker-3", "worker-1", "worker-0", "worker-2"].flatMap((process) =>
      rest.filter((record) => isOf(record, process)),
    );
    const facts = await gather([run, ...own, ...rest.filter((record) => !("process" in record))]);
    expect(witness(facts).violations).toEqual([]);
    expect(linear(facts).violations).toEqual([]);
  });
});

describe("both checkers find a mutated history:", () => {
  let certain: MutationScore[];
  let all: MutationScore[];
  beforeAll(async () => {
    const score = (seed: number, unknown: number) =>
      mutationScore(simulate({ seed, calls: 250, ids: 4, unknown }), seed, 3);
    // Callers can prove an error only if every outcome is known. An unknown outcome may explain what they read.
    certain = addScores([await score(1, 0), await score(2, 0), await score(3, 0)]);
    all = addScores([certain, await score(4, 0.2), await score(5, 0.2)]);
  });

  it.each(MUTATIONS.map(({ name, rule, isVisible }) => ({ name, rule, isVisible })))(
    "$name, by the rule $rule",
    ({ name, isVisible }) => {
      const score = all.find((one) => one.name === name);
      expect(score?.injected).toBeGreaterThan(0);
      expect(score).toMatchObject({ witness: score?.injected, byRule: score?.injected });
      const known = certain.find((one) => one.name === name);
      if (isVisible) expect(known?.wgl).toBe(known?.injected);
    },
  );

  it("and a table shows how often", () => {
    const [title, first] = mutationTable(all).split("\n");
    expect(title).toMatch(/^mutation +injected +witness +WGL$/);
    expect(first).toMatch(/^lost write +\d+ +\d+ +\d+$/);
  });
});
