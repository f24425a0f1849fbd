// Checked by the compiler alone, from machine.types.test.ts: each line below an "expect-error" must not compile.
// By hand: npx tsc -p test/fixtures/machine-types
import type { AgentState, agent } from "../../src/machine/agent.js";
import { defineMachine } from "../../src/machine/define.js";
import type { MachineDefinition, StateOf } from "../../src/machine/definition.js";
import type { Duration } from "../../src/machine/duration.js";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function expectTrue<_T extends true>(): void {}

const order = defineMachine({
  name: "order",
  version: 1,
  initial: "open",
  states: {
    open: { to: ["paid", "lost"], timeout: { after: "30m", to: "lost" } },
    paid: { to: ["lost", "sent"], lease: { for: 1000, to: "lost", set: { note: ["late", null] } } },
    sent: { retain: "7d" },
    lost: {},
  },
});

expectTrue<Same<StateOf<typeof order>, "open" | "paid" | "sent" | "lost">>();
expectTrue<Same<(typeof order)["name"], "order">>();
expectTrue<Same<StateOf<ReturnType<typeof agent>>, AgentState>>();
expectTrue<Same<StateOf<MachineDefinition>, string>>();
const anyMachine: MachineDefinition = order;

export const rejected = [
  anyMachine,
  defineMachine({
    name: "m",
    version: 1,
    // @ts-expect-error a misspelt initial
    initial: "opne",
    states: { open: {} },
  }),
  defineMachine({
    name: "m",
    version: 1,
    initial: "open",
    states: {
      // @ts-expect-error a misspelt target
      open: { to: ["done", "dnoe"] },
      done: {},
    },
  }),
  defineMachine({
    name: "m",
    version: 1,
    initial: "open",
    states: {
      // @ts-expect-error a misspelt target of a timeout
      open: { to: ["done"], timeout: { after: "1s", to: "dnoe" } },
      done: {},
    },
  }),
  defineMachine({
    name: "m",
    version: 1,
    initial: "open",
    states: {
      // @ts-expect-error a misspelt target of a lease
      open: { to: ["done"], lease: { for: "1s", to: "dnoe" } },
      done: {},
    },
  }),
  defineMachine({
    name: "m",
    version: 1,
    initial: "open",
    // @ts-expect-error a misspelt property
    states: { open: { stmap: "at" } },
  }),
  // @ts-expect-error a missing version
  defineMachine({ name: "m", initial: "open", states: { open: {} } }),
];

// @ts-expect-error an invalid unit
export const fortnight: Duration = "1fortnight";

// @ts-expect-error an unknown target state
export const target: StateOf<typeof order> = "shipped";
