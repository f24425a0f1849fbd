import { describe, expect, test } from "vitest";
import { ContractError } from "../../src/errors/latchkey-error.js";
import { type Duration, durationMs, durationText, MAX_DURATION_MS } from "../../src/machine/duration.js";

const pairs: [Duration, number][] = [
  ["500ms", 500],
  ["30s", 30_000],
  ["5m", 300_000],
  ["12h", 43_200_000],
  ["7d", 604_800_000],
  ["10000d", MAX_DURATION_MS],
];

describe("durationMs", () => {
  test.each(pairs)("reads %s", (text, ms) => {
    expect(durationMs(text)).toBe(ms);
  });

  test("accepts whole milliseconds", () => {
    expect(durationMs(1)).toBe(1);
    expect(durationMs(MAX_DURATION_MS)).toBe(MAX_DURATION_MS);
  });

  test.each<Duration>(["1.5h", "05m", "-5s", "1e3s", 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    "rejects %s",
    (wrong) => {
      expect(() => durationMs(wrong)).toThrow(ContractError);
      expect(() => durationMs(wrong)).toThrow('; write "500ms", "30s", "5m"');
    },
  );

  test.each([" 5m", "5 m", "5M", "5", "", "5m\n", null, {}])(
    "rejects %j, which does not compile",
    (wrong) => {
      expect(() => durationMs(wrong as Duration)).toThrow('; write "500ms", "30s", "5m"');
    },
  );

  test("rejects a duration shorter than 1 ms", () => {
    expect(() => durationMs(0)).toThrow("invalid duration 0: it must be at least 1 ms");
    expect(() => durationMs(-1)).toThrow("invalid duration -1: it must be at least 1 ms");
  });

  test("rejects a duration longer than 10000 days", () => {
    expect(() => durationMs(MAX_DURATION_MS + 1)).toThrow(
      "invalid duration 864000000001: it must be at most 10000d",
    );
    expect(() => durationMs("10001d")).toThrow('invalid duration "10001d": it must be at most 10000d');
  });
});

describe("durationText", () => {
  test.each(pairs)("writes %s again", (text, ms) => {
    expect(durationText(ms)).toBe(text);
  });

  test("uses the largest unit that holds the length whole", () => {
    expect(durationText(90_000)).toBe("90s");
    expect(durationText(86_400_001)).toBe("86400001ms");
  });
});
