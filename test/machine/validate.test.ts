import { describe, expect, test } from "vitest";
import { MachineDefinitionError } from "../../src/errors/machine-definition-error.js";
import { defineMachine } from "../../src/machine/define.js";
import type { MachineDefinition } from "../../src/machine/definition.js";
import { validateMachine } from "../../src/machine/validate.js";
import { bad, good, job, unspeakable } from "../helpers/definitions.js";

const spoken = (problems: readonly { path: string; message: string }[]) =>
  problems.map(({ path, message }) => `${path}: ${message}`);

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

describe("validateMachine accepts", () => {
  test.each(Object.entries(good))("%s", (_title, definition) => {
    const validation = validateMachine(definition);
    expect(validation.problems).toEqual([]);
    expect(validation.definition).toEqual(definition);
  });
});

describe("validateMachine reports the path of", () => {
  test.each(Object.entries(bad))("%s", (_title, { definition, problems }) => {
    const validation = validateMachine(definition);
    expect(spoken(validation.problems)).toEqual(problems);
    expect(validation.definition).toBeUndefined();
  });

  test.each(Object.entries(unspeakable))("%s", (_title, { definition, problem }) => {
    expect(spoken(validateMachine(definition).problems)).toEqual([problem]);
  });
});

describe("validateMachine", () => {
  const warningsOf = (initial: string, states: Record<string, { to?: string[] }>) =>
    spoken(validateMachine({ name: "m", version: 1, initial, states }).warnings);

  test("has no warnings for a valid machine", () => {
    expect(validateMachine(job).warnings).toEqual([]);
  });

  test("warns about unreachable states", () => {
    expect(warningsOf("a", { a: { to: ["b"] }, b: {}, c: { to: ["d"] }, d: { to: ["b"] } })).toEqual([
      'states.c: cannot be reached from the initial state "a"',
      'states.d: cannot be reached from the initial state "a"',
    ]);
  });

  test("warns about dead ends", () => {
    expect(warningsOf("a", { a: { to: ["b", "end"] }, b: { to: ["c"] }, c: { to: ["b"] }, end: {} })).toEqual(
      [
        "states.b: is a dead end: no final state can be reached from it",
        "states.c: is a dead end: no final state can be reached from it",
      ],
    );
  });

  test("warns once if no state is final", () => {
    expect(warningsOf("on", { on: { to: ["off"] }, off: { to: ["on"] } })).toEqual([
      "states: no state is final: entities of this machine never end",
    ]);
  });

  test("treats an undefined property as absent", () => {
    const { problems, definition } = validateMachine({ ...job, history: undefined });
    expect(problems).toEqual([]);
    expect(Object.keys(definition ?? {})).toEqual(Object.keys(job));
  });

  test("rejects an object with inherited properties", () => {
    const { problems } = validateMachine(Object.assign(Object.create({ history: -1 }), job));
    expect(spoken(problems)).toEqual([": must be an object, not a class instance"]);
  });

  test("keeps a hostile name short in its message", () => {
    const [problem] = validateMachine({ ...job, initial: "x".repeat(10_000) }).problems;
    expect(problem?.message).toBe(`unknown state "${"x".repeat(60)}"…`);
  });
});

describe("defineMachine", () => {
  test("throws all problems at once, one per line", () => {
    const wrong = { ...job, version: 0, initial: "qeued" } as MachineDefinition;
    const error = thrownBy(() => defineMachine(wrong));
    expect(error).toBeInstanceOf(MachineDefinitionError);
    expect(error).toMatchObject({
      name: "MachineDefinitionError",
      code: "MACHINE_INVALID",
      problems: [{ path: "version" }, { path: "initial" }],
      message:
        "invalid machine definition\n" +
        "version: must be a whole number from 1 to 1000000000, not 0\n" +
        'initial: unknown state "qeued"; did you mean "queued"?',
    });
  });

  test("returns a frozen copy, independent of later changes to its input", () => {
    const input = { name: "m", version: 1, initial: "a", states: { a: { to: ["b"] }, b: {} } };
    const machine = defineMachine(input as MachineDefinition);
    input.states.a.to.push("a");
    expect(machine.states.a?.to).toEqual(["b"]);
    expect(Object.isFrozen(machine.states.a?.to)).toBe(true);
  });
});
