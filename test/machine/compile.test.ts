import { describe, expect, test } from "vitest";
import { MachineDefinitionError } from "../../src/errors/machine-definition-error.js";
import { compileMachine, parseCompiledMachine } from "../../src/machine/compile.js";
import { defineMachine } from "../../src/machine/define.js";
import type { MachineDefinition } from "../../src/machine/definition.js";
import { bad, good } from "../helpers/definitions.js";

const full = defineMachine({
  retain: "7d",
  events: { keep: 5 },
  history: 3,
  states: {
    open: {
      lease: { set: { error: 'lease "expired"', codes: [], at_: 1e21 }, to: "lost", for: "30s" },
      timeout: { to: "done", after: "5m" },
      require: [],
      to: ["done", "lost"],
    },
    done: { retain: 1000, stamp: "doneAt", event: "order.finished" },
    lost: { require: ["error"], to: [] },
  },
  initial: "open",
  version: 2,
  name: "order",
});

describe("compileMachine", () => {
  test("writes every property in a fixed order, defaults explicit, durations in ms, set as JSON texts", () => {
    expect(compileMachine(full).json).toBe(
      '{"name":"order","version":2,"initial":"open","states":{' +
        '"open":{"to":["done","lost"],"event":"order.open","timeout":{"after":300000,"to":"done"},' +
        '"lease":{"for":30000,"to":"lost","set":{"at_":"1e+21","codes":"[]","error":"\\"lease \\\\\\"expired\\\\\\"\\""}}},' +
        '"done":{"event":"order.finished","stamp":"doneAt","retain":1000},' +
        '"lost":{"event":"order.lost","require":["error"],"retain":604800000}},' +
        '"history":3,"events":{"keep":5}}',
    );
  });

  test("fills in history, event log length and events, and no retention", () => {
    const machine = compileMachine({
      name: "m",
      version: 1,
      initial: "a",
      states: { a: { to: ["b"] }, b: {} },
    });
    expect(JSON.parse(machine.json)).toEqual({
      name: "m",
      version: 1,
      initial: "a",
      states: { a: { to: ["b"], event: "m.a" }, b: { event: "m.b" } },
      history: 16,
      events: { keep: 100_000 },
    });
  });

  test("gives the same text for every spelling of a definition", () => {
    const { name, version, initial, states, history, events } = full;
    const rewritten = { name, version, initial, states, history, events, retain: 604_800_000, $schema: "x" };
    expect(compileMachine(rewritten as MachineDefinition).json).toBe(compileMachine(full).json);
  });

  test("keeps fields with names of object properties", () => {
    const set = JSON.parse('{"__proto__":1,"constructor":2}');
    const machine = compileMachine({
      name: "m",
      version: 1,
      initial: "a",
      states: { a: { to: ["a"], timeout: { after: 1, to: "a", set } } },
    });
    expect(machine.json).toContain('"set":{"__proto__":"1","constructor":"2"}');
  });

  test("accepts definitions of at most 64 KiB compiled", () => {
    const padded = (bytes: number): MachineDefinition => ({
      name: "m",
      version: 1,
      initial: "a",
      states: { a: { to: ["a"], lease: { for: 1, to: "a", set: { text: "x".repeat(bytes) } } } },
    });
    const room = 65_536 - Buffer.byteLength(compileMachine(padded(0)).json);
    expect(Buffer.byteLength(compileMachine(padded(room)).json)).toBe(65_536);
    expect(() => compileMachine(padded(room + 1))).toThrow("is 65537 bytes of JSON when compiled");
  });

  test.each(Object.entries(bad))("throws on %s", (_title, { definition }) => {
    expect(() => compileMachine(definition as MachineDefinition)).toThrow(MachineDefinitionError);
  });
});

describe("parseCompiledMachine", () => {
  test.each(Object.entries(good))("parses the compiled form of %s", (_title, definition) => {
    const machine = compileMachine(definition as MachineDefinition);
    expect(parseCompiledMachine(machine.json)).toEqual(machine);
  });

  test("keeps the text of another client unchanged", () => {
    const spaced = JSON.stringify(JSON.parse(compileMachine(full).json), null, 1);
    expect(parseCompiledMachine(spaced)).toEqual({ ...compileMachine(full), json: spaced });
  });

  test("rejects a text that is not JSON", () => {
    expect(() => parseCompiledMachine("{")).toThrow(MachineDefinitionError);
    expect(() => parseCompiledMachine("{")).toThrow("is not a compiled machine: ");
  });

  test("rejects a set with values that are not JSON texts", () => {
    const json = compileMachine(full).json.replace('"[]"', '"["');
    expect(() => parseCompiledMachine(json)).toThrow("is not a compiled machine: ");
  });

  test("names an unknown property in a machine of a later client", () => {
    const json = compileMachine(full).json.replace('"stamp"', '"colour":"red","stamp"');
    expect(() => parseCompiledMachine(json)).toThrow("states.done.colour: unknown property");
  });
});
