import { describe, expect, it } from "vitest";
import {
  checkDuration,
  checkFlag,
  checkList,
  checkOptions,
  checkWhole,
  checkWord,
} from "../../src/contract/arguments.js";
import { ContractError } from "../../src/errors/latchkey-error.js";
import type { Duration } from "../../src/machine/duration.js";

/** Returns the message of the ContractError that a check throws. */
function rejection(check: () => unknown): string {
  try {
    check();
  } catch (error) {
    if (error instanceof ContractError && error.code === "BADARG") return error.message;
    throw error;
  }
  return "accepted";
}

describe("a whole number", () => {
  it.each([1, 5, 10])("accepts %d from 1 to 10", (value) => {
    expect(checkWhole("batch", value, 1, 10)).toBe(value);
  });

  it.each([
    [0, "0"],
    [11, "11"],
    [1.5, "1.5"],
    [Number.NaN, "NaN"],
    ["5", '"5"'],
    [null, "null"],
  ])("rejects %j", (value, text) => {
    expect(rejection(() => checkWhole("batch", value as number, 1, 10))).toBe(
      `batch must be a whole number from 1 to 10, not ${text}`,
    );
  });
});

describe("a duration", () => {
  it("is converted to ms", () => {
    expect(checkDuration("timeout", "5s")).toBe(5_000);
    expect(checkDuration("timeout", 250, 250)).toBe(250);
  });

  it.each([
    [
      "5 sec",
      'timeout: invalid duration "5 sec"; write "500ms", "30s", "5m", "12h", "7d" or whole milliseconds',
    ],
    [0, "timeout: invalid duration 0: it must be at least 1 ms"],
    ["2d", 'timeout must be at most 1d, not "2d"'],
  ])("rejects %j", (value, message) => {
    expect(rejection(() => checkDuration("timeout", value as Duration, 86_400_000))).toBe(message);
  });
});

it("a misspelt option is rejected with the name that was probably meant", () => {
  const known = ["timeout", "durability"];
  expect(rejection(() => checkOptions({ timout: 1 }, known))).toBe(
    'unknown option "timout"; did you mean "timeout"?',
  );
  expect(rejection(() => checkOptions([], known))).toBe(
    "options must be an object (of timeout, durability), not an array",
  );
  expect(rejection(() => checkOptions({ durability: 1 }, known))).toBe("accepted");
});

it("a value of the wrong kind is rejected with what to write", () => {
  expect(rejection(() => checkFlag("once", "yes" as unknown as boolean))).toBe(
    'once must be true or false, not "yes"',
  );
  expect(rejection(() => checkWord("from", "now", ["start", "end"]))).toBe(
    'from must be "start" or "end", not "now"',
  );
  expect(rejection(() => checkList("on", "a.b"))).toBe('on must be a list, not text; write ["a.b"]');
});
