import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareMachines } from "../../src/machine/compare.js";
import { compileMachine, parseCompiledMachine } from "../../src/machine/compile.js";
import type { MachineDefinition } from "../../src/machine/definition.js";
import { good } from "../helpers/definitions.js";

const base: MachineDefinition = {
  name: "job",
  version: 1,
  initial: "queued",
  states: {
    queued: { to: ["running", "old", "done"], timeout: { after: "1h", to: "old", set: { note: "late" } } },
    running: { to: ["done", "old"], require: ["host", "pid"], stamp: "startedAt" },
    old: { to: ["done"] },
    done: { retain: "7d" },
  },
};

const compare = (before: MachineDefinition, after: MachineDefinition) =>
  compareMachines(compileMachine(before), compileMachine(after));

describe("compareMachines", () => {
  test("finds no difference between spellings of one definition", () => {
    const spelled = { ...base, history: 16, states: { ...base.states, done: { retain: 604_800_000 } } };
    expect(compare(base, spelled)).toEqual([]);
  });

  test("lists changes, additions and removals with their paths", () => {
    const { queued, done } = base.states;
    const after: MachineDefinition = {
      name: "job",
      version: 2,
      initial: "queued",
      states: {
        queued: {
          ...queued,
          to: ["running", "done"],
          timeout: { after: "90s", to: "done", set: { why: [] } },
        },
        running: {
          to: ["done", "paused"],
          require: ["pid", "zone"],
          event: "job.started",
          lease: { for: 1500, to: "done" },
        },
        done: { ...done, retain: "30d" },
        paused: { to: ["running"] },
      },
      history: 32,
      events: { keep: 10 },
    };
    expect(compare(base, after)).toEqual([
      "version: 1 -> 2",
      "history: 16 -> 32",
      "events.keep: 100000 -> 10",
      "states.queued.to: - old",
      "states.queued.timeout.after: 1h -> 90s",
      "states.queued.timeout.to: old -> done",
      'states.queued.timeout.set.note: "late" -> none',
      "states.queued.timeout.set.why: none -> []",
      "states.running.to: - old",
      "states.running.to: + paused",
      "states.running.require: - host",
      "states.running.require: + zone",
      "states.running.event: job.running -> job.started",
      "states.running.stamp: startedAt -> none",
      "states.running.lease.for: none -> 1500ms",
      "states.running.lease.to: none -> done",
      "states.old: removed",
      "states.done.retain: 7d -> 30d",
      "states.paused: added",
    ]);
  });

  test("reports a changed order, which changes ordinals", () => {
    const { queued, running, old, done } = base.states;
    const states = { done, queued, running: { ...running, to: ["old", "done"] }, old };
    expect(compare(base, { ...base, states } as MachineDefinition)).toEqual([
      "states.running.to: order changed",
      "states: order changed",
    ]);
  });

  test("reports a changed name and a changed initial state", () => {
    const lines = compare(base, { ...base, name: "task", initial: "old" });
    expect(lines.slice(0, 2)).toEqual(["name: job -> task", "initial: queued -> old"]);
  });

  test("reports another spelling by another client", () => {
    const ours = compileMachine(base);
    const theirs = parseCompiledMachine(JSON.stringify(JSON.parse(ours.json), null, 1));
    expect(compareMachines(ours, theirs)).toEqual(["the same definition with another spelling"]);
  });

  test("returns no lines exactly if the texts are equal", () => {
    const durations = fc.constantFrom<"60s" | "1m" | 60_000 | "2m">("60s", "1m", 60_000, "2m");
    const names = ["a", "b", "c"] as const;
    const state = fc.record(
      {
        to: fc.shuffledSubarray([...names], { minLength: 1 }),
        event: fc.constantFrom("m.a", "m.x"),
        stamp: fc.constantFrom("x", "y"),
        require: fc.shuffledSubarray(["f", "g"]),
      },
      { requiredKeys: ["to"] },
    );
    const definition = fc.record({
      name: fc.constant("m"),
      version: fc.constantFrom(1, 2),
      initial: fc.constantFrom(...names),
      states: fc
        .tuple(fc.shuffledSubarray([...names], { minLength: 3 }), state, fc.record({ retain: durations }))
        .map(([[one = "a", two = "b", three = "c"], first, last]) => ({
          [one]: first,
          [two]: last,
          [three]: {},
        })),
      retain: durations,
    });
    fc.assert(
      fc.property(definition, definition, (one, other) => {
        const same = compileMachine(one).json === compileMachine(other).json;
        expect(compare(one, other).length === 0).toBe(same);
      }),
      { numRuns: 500 },
    );
  });

  test.each(Object.entries(good))("finds no difference between %s and itself", (_title, definition) => {
    expect(compare(definition as MachineDefinition, definition as MachineDefinition)).toEqual([]);
  });
});
