import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { scripts } from "../../src/lua/index.js";
import type { Operation, Outcome } from "./rules.js";
import { type Step, steps, Walk } from "./walk.js";

type Text = (operation: Operation | "apply") => string;

/** Takes the steps on the server and in the rules. @throws Error where they differ */
async function walk(taken: readonly Step[], text?: Text): Promise<readonly Outcome[]> {
  const begun = await Walk.begin(text);
  for (const step of taken) await begun.take(step);
  return begun.outcomes;
}

it("the scripts give the outcomes of the rules on random walks, which have every outcome", async () => {
  const outcomes = new Set<Outcome>();
  const agrees = fc.asyncProperty(steps, async (taken) => {
    for (const outcome of await walk(taken)) outcomes.add(outcome);
  });
  await fc.assert(agrees, { numRuns: 25 });
  const known = ["OK", "REPLAYED", "FORGOTTEN", "EXPIRED", "NOTFOUND", "EXISTS", "ILLEGAL"];
  expect([...outcomes].sort()).toEqual(known.sort());
});

describe("a walk finds a script", () => {
  /** Operation or all, text, and what replaces it. */
  const mutations: Record<string, readonly [Operation | "apply" | "all", string, string]> = {
    "that does not look the key up": ["all", "op and state and call('LPOS', log_key, op)", "nil"],
    "that does not compare what was forgotten": [
      "all",
      "forgot ~= '0-0' and is_after(forgot, seen)",
      "false",
    ],
    "that does not compare the floor": [
      "all",
      "removal_position(call('ZSCORE', index_key, id)) or floor",
      "'0-0'",
    ],
    "that does not compare the end of the log": ["all", "not is_forgotten and seen_ms >= time", "false"],
    "that compares SEEN of a restore with the end of the log": [
      "restore",
      "seen_ms = 0",
      "seen_ms = seen_ms",
    ],
    "that judges NOTAFTER first": [
      "all",
      "if op_at then",
      "if op_at and not (not_after and time > not_after) then",
    ],
    "that does not remember the oldest position": [
      "all",
      `string.match(trimmed[i - 1], '^{"position":"(%d+%-%d+)"') or position`,
      "'0-0'",
    ],
    "that creates an entity without the floor": ["create", "or call('HGET', machine_key, 'floor')", ""],
    "that creates an entity without the tombstone": [
      "create",
      "removal_position(call('ZSCORE', index_key, id)) or call",
      "call",
    ],
    "that restores an entity without its position": [
      "restore",
      "'ops:forgot', position",
      "'ops:forgot', '0-0'",
    ],
    "that restores an entity before SEEN": [
      "restore",
      "position_after(time, seen, ",
      "position_after(time, '0-0', ",
    ],
    "that rounds a tombstone": ["remove", "if sequence > 1023 then", "if false then"],
    "that leaves no tombstone": ["remove", "-(ms * 1024 + sequence)), id)", "-1), id)"],
    "that drops the floor with a new version of the machine": [
      "apply",
      "if installed.floor then",
      "if false then",
    ],
    "that forgets a trimmed tombstone": [
      "remove",
      "call('HSET', machine_key, 'floor'",
      "call('HSET', machine_key, 'roof'",
    ],
  };

  it.each(Object.entries(mutations))("%s", async (_, [operation, text, replacement]) => {
    let count = 0;
    const mutated: Text = (name) => {
      const original = scripts[name].text;
      if (operation !== "all" && operation !== name) return original;
      const parts = original.split(text);
      count += parts.length - 1;
      return parts.join(replacement);
    };
    const attempt = async () => {
      for (const taken of fc.sample(steps, { numRuns: 100, seed: 1 })) await walk(taken, mutated);
    };
    await expect(attempt()).rejects.toThrow(/the server has|is not greater|took effect twice/);
    expect(count).toBeGreaterThan(0);
  });
});
