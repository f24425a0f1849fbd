import { describe, expect, it } from "vitest";
import { chooseCuts } from "../../faults/kinds/disk/cuts.js";
import { randomFor } from "../../faults/random.js";

const PLACES = 1165;

/** Counts the places that all injections of a run cut, and the most that one injection cuts. */
function runOf(injections: number): { covered: number; most: number } {
  const before = new Set<number>();
  let most = 0;
  for (let left = injections; left > 0; left -= 1) {
    const cuts = chooseCuts(PLACES, before, left, randomFor(1, "cuts", left));
    expect(new Set(cuts).size).toBe(cuts.length);
    for (const cut of cuts) before.add(cut);
    most = Math.max(most, cuts.length);
  }
  expect([...before].every((cut) => cut >= 0 && cut < PLACES)).toBe(true);
  return { covered: before.size, most };
}

describe("the places at which a file is cut", () => {
  it.each([10, 17, 18, 100])("are all of them after %i injections", (injections) => {
    expect(runOf(injections)).toMatchObject({ covered: PLACES });
  });

  it("are limited in number in one injection", () => {
    expect(runOf(1)).toEqual({ covered: 128, most: 128 });
    expect(runOf(9)).toEqual({ covered: 9 * 128, most: 128 });
  });

  it("are as many as before when all have been cut", () => {
    const all = new Set(Array.from({ length: PLACES }, (_, location) => location));
    expect(chooseCuts(PLACES, all, 1, randomFor(1, "cuts"))).toHaveLength(64);
  });
});
