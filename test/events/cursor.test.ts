import { expect, it } from "vitest";
import { laterPosition, logCursor, startEarlier } from "../../src/events/cursor.js";

it("starts only those partitions earlier that were not reached yet", () => {
  const reached = ["1763807223197-0@9f86d081", "0-0"];
  const cursor = logCursor([laterPosition("end", 1763807223197), ...reached, laterPosition(20, 99)]);
  expect(startEarlier(cursor, 10_000)).toBe(logCursor(["t1763807213197", ...reached, "t0"]));
});
