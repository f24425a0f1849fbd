import { describe, expect, test } from "vitest";
import { MachineDefinitionError } from "../../src/errors/machine-definition-error.js";
import { type AgentOptions, agent } from "../../src/machine/agent.js";
import { compileMachine } from "../../src/machine/compile.js";
import { validateMachine } from "../../src/machine/validate.js";

describe("agent", () => {
  test("is the documented machine", () => {
    expect(agent()).toEqual({
      name: "agent",
      version: 1,
      initial: "spawning",
      states: {
        spawning: { event: "agent.spawned", to: ["running", "failed", "killed"] },
        running: { stamp: "startedAt", to: ["completed", "failed", "killed"] },
        completed: { stamp: "completedAt" },
        failed: { stamp: "completedAt", require: ["error"] },
        killed: { stamp: "completedAt" },
      },
      history: 16,
      events: { keep: 100_000 },
    });
    expect(validateMachine(agent()).warnings).toEqual([]);
  });

  test("accepts options under a later version", () => {
    const machine = agent({
      version: 2,
      retain: "7d",
      history: 4,
      keepEvents: 50,
      spawnTimeout: "5m",
      lease: "30s",
    });
    expect(machine).toMatchObject({ version: 2, retain: "7d", history: 4, events: { keep: 50 } });
    expect(machine.states.spawning.timeout).toEqual({
      after: "5m",
      to: "failed",
      set: { error: "spawn timed out" },
    });
    expect(machine.states.running.lease).toEqual({
      for: "30s",
      to: "failed",
      set: { error: "lease expired" },
    });
    expect(validateMachine(machine).warnings).toEqual([]);
  });

  test("accepts a later version of the same definition", () => {
    expect(agent({ version: 2 })).toEqual({ ...agent(), version: 2 });
  });

  test("accepts options equal to the defaults under version 1", () => {
    const same = agent({ history: 16, keepEvents: 100_000 });
    expect(compileMachine(same).json).toBe(compileMachine(agent()).json);
  });

  test.each<AgentOptions>([
    { retain: "7d" },
    { history: 17 },
    { keepEvents: 1 },
    { spawnTimeout: "5m" },
    { lease: "30s" },
  ])("rejects %j under version 1, with the reason", (options) => {
    for (const given of [options, { ...options, version: 1 }]) {
      expect(() => agent(given)).toThrow(MachineDefinitionError);
      expect(() => agent(given)).toThrow(
        `version: must be 2 or more with ${Object.keys(options)[0]}: these change the built-in machine, ` +
          "and a server rejects version 1 with another definition",
      );
    }
  });

  test("reports the path of an invalid option", () => {
    expect(() => agent({ version: 2, lease: 0 })).toThrow("states.running.lease.for: invalid duration 0");
    expect(() => agent({ version: 2, history: 0 })).toThrow("history: must be a whole number from 1 to 1000");
  });
});
