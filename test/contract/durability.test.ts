import { expect, it } from "vitest";
import { checkDurability, isMet } from "../../src/contract/durability.js";

it.each([
  ["memory", { local: 0, replicas: 0 }, 1_000],
  ["fsync", { local: 1, replicas: 0 }, 1_000],
  [{ replicas: 2 }, { local: 0, replicas: 2 }, 1_000],
  [{ replicas: 1, fsync: true }, { local: 1, replicas: 1 }, 1_000],
  [{ replicas: 0, fsync: true, timeoutMs: 50 }, { local: 1, replicas: 0 }, 50],
  [{ replicas: 1, fsync: false, timeoutMs: 3_600_000 }, { local: 0, replicas: 1 }, 3_600_000],
])("durability %j asks for %j, within %i ms", (value, need, timeoutMs) => {
  expect(checkDurability(value)).toEqual({ need, timeoutMs });
});

it.each([
  ["disk", ' must be "memory", "fsync" or an object such as { replicas: 1 }'],
  [null, ' must be "memory", "fsync" or an object such as { replicas: 1 }'],
  [[1], ' must be "memory", "fsync" or an object such as { replicas: 1 }'],
  [{}, ".replicas must be a whole number from 0 to 100"],
  [{ replicas: -1 }, ".replicas must be a whole number from 0 to 100"],
  [{ replicas: 1.5 }, ".replicas must be a whole number from 0 to 100"],
  [{ replicas: "1" }, ".replicas must be a whole number from 0 to 100"],
  [{ replicas: 101 }, ".replicas must be a whole number from 0 to 100"],
  [{ replicas: 0 }, ' requires no copy; write "memory", or replicas: 1'],
  [{ replicas: 1, fsync: "yes" }, ".fsync must be true or false"],
  [{ replicas: 1, timeoutMs: 0 }, ".timeoutMs must be a whole number from 1 to 3600000"],
  [{ replicas: 1, timeoutMs: "1s" }, ".timeoutMs must be a whole number from 1 to 3600000"],
  [{ replicas: 1, timeoutMs: 3_600_001 }, ".timeoutMs must be a whole number from 1 to 3600000"],
])("rejects the durability %j: %s", (value, problem) => {
  expect(() => checkDurability(value)).toThrow(`durability${problem}`);
});

it("rejects an unknown part", () => {
  expect(() => checkDurability({ replica: 1 })).toThrow(
    'unknown option "replica" in durability; did you mean "replicas"?',
  );
});

it("a need is met by as many copies of each kind, or more", () => {
  expect(isMet({ local: 0, replicas: 1 }, { local: 0, replicas: 2 })).toBe(true);
  expect(isMet({ local: 1, replicas: 1 }, { local: 1, replicas: 1 })).toBe(true);
  expect(isMet({ local: 1, replicas: 1 }, { local: 0, replicas: 2 })).toBe(false);
  expect(isMet({ local: 1, replicas: 1 }, { local: 1, replicas: 0 })).toBe(false);
});
