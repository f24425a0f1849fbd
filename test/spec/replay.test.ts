import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { scripts } from "../../src/lua/index.js";
import type { Operation, Outcome } from "./rules.js";
import { type Step, steps } from "./steps.js";
import { type Text, Walk } from "./walk.js";

const original: Text = (operation) => scripts[operation].text;
const KEPT = 100_000;
const FEW = 50;

/** Returns scripts that keep few tombstones, so that many walks take little time. */
const withFew: Text = (operation) => original(operation).replaceAll(String(KEPT), String(FEW));

/** Takes the steps on the server and in the rules. @throws Error if they differ */
async function walk(taken: readonly Step[], text: Text, tombstones = FEW): Promise<readonly Outcome[]> {
  const begun = await Walk.begin(text, tombstones);
  for (const step of taken) await begun.take(step);
  return begun.outcomes;
}

it("the scripts give the outcomes of the rules on random walks, which have every outcome", async () => {
  const outcomes = new Set<Outcome>();
  const agrees = fc.asyncProperty(steps, async (taken) => {
    for (const outcome of await walk(taken, withFew)) outcomes.add(outcome);
  });
  await fc.assert(agrees, { numRuns: 50, interruptAfterTimeLimit: 60_000 });
  const known = ["OK", "REPLAYED", "FORGOTTEN", "EXPIRED", "NOTFOUND", "EXISTS", "ILLEGAL"];
  expect([...outcomes].sort()).toEqual(known.sort());
});

it("the scripts keep as many tombstones as the rules say, and trim the oldest", async () => {
  const remove = { kind: "call", operation: "remove", hasOp: true, to: 0, seen: 0, isLate: false } as const;
  const create = { ...remove, operation: "create" } as const;
  const lives = (id: number): Step[] => [
    { ...create, id },
    { ...remove, id },
  ];
  const full: Step[] = [...lives(0), { kind: "fill", excess: 20 }, ...lives(1), ...lives(2), ...lives(0)];
  expect(await walk(full, original, KEPT)).toEqual(Array.from({ length: 8 }, () => "OK"));
});

describe("a walk finds a script", () => {
  /** Operation or all, text, and what replaces it. */
  const mutations: Record<string, readonly [Operation | "apply" | "all", string, string]> = {
    "that does not look the key up": ["all", "op and state and call('LPOS', log_key, op)", "nil"],
    "that does not compare what was forgotten": [
      "all",
      "forgot_ms + 0 >= seen_ms and is_after(forgot, seen)",
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
    "that trims changes one at a time": ["all", "if excess >= 16 then", "if excess > 0 then"],
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
      "local floor = installed.floor",
      "local floor",
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
      if (operation !== "all" && operation !== name) return withFew(name);
      const parts = withFew(name).split(text);
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
