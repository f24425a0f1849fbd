import { describe, expect, test } from "vitest";
import { createActor, createMachine, getNextSnapshot, initialTransition } from "xstate";
import { MachineDefinitionError } from "../../src/errors/machine-definition-error.js";
import { agent } from "../../src/machine/agent.js";
import { compileMachine, parseCompiledMachine } from "../../src/machine/compile.js";
import type { MachineDefinition } from "../../src/machine/definition.js";
import { toDot } from "../../src/machine/dot.js";
import { toMermaid } from "../../src/machine/mermaid.js";
import { toXState } from "../../src/machine/xstate.js";
import { good } from "../helpers/definitions.js";

const demanding = agent({ version: 2, retain: "7d", spawnTimeout: "5m", lease: "30s" });
const drawings = { toMermaid, toDot, toXState };

/** `from -> to` for each transition of the definition. */
const arrows = ({ states }: MachineDefinition) =>
  Object.entries(states).flatMap(([from, { to = [] }]) => to.map((target) => `${from} -> ${target}`));

describe("toMermaid", () => {
  test("draws transitions, timers and retention", () => {
    expect(toMermaid(demanding)).toBe(
      [
        "stateDiagram-v2",
        "  [*] --> spawning",
        "  spawning --> running",
        "  spawning --> failed : timeout 5m",
        "  spawning --> killed",
        "  running --> completed",
        "  running --> failed : lease 30s",
        "  running --> killed",
        "  completed --> [*] : removed after 7d",
        "  failed --> [*] : removed after 7d",
        "  killed --> [*] : removed after 7d",
        "",
      ].join("\n"),
    );
  });

  test("gives a generated id to states with names that Mermaid does not accept", () => {
    const machine = {
      name: "m",
      version: 1,
      initial: "on-hold",
      states: { "on-hold": { to: ["noTe"] }, noTe: {} },
    };
    expect(toMermaid(machine)).toBe(
      [
        "stateDiagram-v2",
        '  state "on-hold" as _0',
        '  state "noTe" as _1',
        "  [*] --> _0",
        "  _0 --> _1",
        "  _1 --> [*]",
        "",
      ].join("\n"),
    );
  });

  test("draws two timers of one transition on one arrow", () => {
    const machine: MachineDefinition = {
      name: "m",
      version: 1,
      initial: "a",
      states: { a: { to: ["b"], timeout: { after: "1h", to: "b" }, lease: { for: 1500, to: "b" } }, b: {} },
    };
    expect(toMermaid(machine)).toContain("  a --> b : timeout 1h, lease 1500ms\n");
    expect(toDot(machine)).toContain('  "a" -> "b" [style=dashed, label="timeout 1h\\nlease 1500ms"];\n');
  });
});

describe("toDot", () => {
  test("draws transitions, timers and retention", () => {
    expect(toDot(demanding)).toBe(
      [
        'digraph "agent" {',
        "  rankdir=LR;",
        "  node [shape=box, style=rounded];",
        '  "" [shape=point];',
        '  "spawning";',
        '  "running";',
        '  "completed" [peripheries=2, label="completed\\nremoved after 7d"];',
        '  "failed" [peripheries=2, label="failed\\nremoved after 7d"];',
        '  "killed" [peripheries=2, label="killed\\nremoved after 7d"];',
        '  "" -> "spawning";',
        '  "spawning" -> "running";',
        '  "spawning" -> "failed" [style=dashed, label="timeout 5m"];',
        '  "spawning" -> "killed";',
        '  "running" -> "completed";',
        '  "running" -> "failed" [style=dashed, label="lease 30s"];',
        '  "running" -> "killed";',
        "}",
        "",
      ].join("\n"),
    );
  });
});

describe("toXState", () => {
  test("is plain JSON", () => {
    const config = toXState(demanding);
    expect(JSON.parse(JSON.stringify(config))).toEqual(config);
    expect(config.states.running).toEqual({
      on: { completed: "completed", failed: "failed", killed: "killed" },
      meta: {
        event: "agent.running",
        stamp: "startedAt",
        lease: { for: 30_000, to: "failed", set: { error: '"lease expired"' } },
      },
    });
  });

  test("drives an XState actor from the initial to a final state", () => {
    const actor = createActor(createMachine(toXState(agent()))).start();
    expect(actor.getSnapshot().value).toBe("spawning");
    actor.send({ type: "completed" });
    expect(actor.getSnapshot().value).toBe("spawning");
    actor.send({ type: "running" });
    actor.send({ type: "completed" });
    expect(actor.getSnapshot()).toMatchObject({ value: "completed", status: "done" });
  });

  test.each(Object.entries(good))("gives XState the same transitions for %s", (_title, input) => {
    const definition = input as MachineDefinition;
    const machine = createMachine(toXState(definition));
    const names = Object.keys(definition.states);
    const [first] = initialTransition(machine);
    expect(first.value).toBe(definition.initial);
    const taken = names.flatMap((from) => {
      const snapshot = machine.resolveState({ value: from });
      expect(snapshot.status).toBe(definition.states[from]?.to?.length ? "active" : "done");
      return names
        .filter(
          (to) => snapshot.can({ type: to }) && getNextSnapshot(machine, snapshot, { type: to }).value === to,
        )
        .map((to) => `${from} -> ${to}`);
    });
    expect(taken.toSorted()).toEqual(arrows(definition).toSorted());
  });
});

describe.each(Object.entries(drawings))("%s", (_name, draw) => {
  test("draws a compiled machine like its definition", () => {
    const held = parseCompiledMachine(compileMachine(demanding).json);
    expect(draw(held)).toEqual(draw(demanding));
  });

  test("throws on an invalid definition", () => {
    expect(() => draw({ name: "M", version: 1, initial: "a", states: { a: {} } })).toThrow(
      MachineDefinitionError,
    );
  });
});
