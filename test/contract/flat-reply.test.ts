import { expect, it } from "vitest";
import { pairsOf, scoredIds } from "../../src/contract/flat-reply.js";

it("pairs up names and values", () => {
  expect(pairsOf(["a", 1, "b", null])).toEqual([
    ["a", 1],
    ["b", null],
  ]);
  expect(pairsOf([])).toEqual([]);
});

it("reads the scores of ids", () => {
  expect(scoredIds(["x", "17", "y", "-1.5"])).toEqual([
    { id: "x", score: 17 },
    { id: "y", score: -1.5 },
  ]);
});
