import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { createMachine, getInitialSnapshot, transition } from "xstate";
import {
  compileMachine,
  connect,
  type Latchkey,
  type MachineDefinition,
  ownFields,
  toXState,
} from "../../src/index.js";
import { Model } from "../../src/testing/model/model.js";
import { freshNamespace, useValkey } from "../helpers/valkey.js";

const STATES = ["open", "constructor", "a-b", "toString", "x_1", "done"];
const FIELDS = ["f0", "f1", "f2"];
const STAMPS = ["firstAt", "lastAt"];

const stateArb = fc.record({
  to: fc.subarray(STATES),
  require: fc.subarray([...FIELDS, ...STAMPS], { maxLength: 2 }),
  stamp: fc.option(fc.constantFrom(...STAMPS), { nil: undefined }),
});

type Drawn = { to: string[]; require: string[]; stamp: string | undefined };

const machineArb = fc
  .tuple(fc.integer({ min: 1, max: STATES.length }), fc.array(stateArb, { minLength: 6, maxLength: 6 }))
  .map(([count, drawn]) => {
    const names = STATES.slice(0, count);
    const stateOf = ({ to, require, stamp }: Drawn, at: number) => ({
      to: to.filter((name) => names.includes(name)),
      // The initial state cannot require a stamp, because no state was entered before.
      require: at === 0 ? require.filter((field) => FIELDS.includes(field)) : require,
      ...(stamp !== undefined && { stamp }),
    });
    const states = Object.fromEntries(
      names.map((name, at) => [name, stateOf(drawn[at] ?? { to: [], require: [], stamp: undefined }, at)]),
    );
    return { name: "m", version: 1, initial: "open", states } satisfies MachineDefinition;
  });

/** Describes one call: a transition, or a patch if `to` is absent. */
interface Step {
  readonly to?: string;
  readonly set: readonly string[];
  readonly unset: readonly string[];
}

const stepArb = fc
  .record({
    to: fc.option(fc.constantFrom(...STATES), { nil: undefined, freq: 6 }),
    set: fc.subarray(FIELDS),
    unset: fc.subarray(FIELDS),
  })
  .map(({ to, set, unset }): Step => {
    const apart = unset.filter((field) => !set.includes(field));
    if (to !== undefined) return { to, set, unset: apart };
    return set.length + apart.length === 0 ? { set: ["f0"], unset: [] } : { set, unset: apart };
  });

const walkArb = fc.record({
  machine: machineArb,
  begin: fc.subarray(FIELDS),
  steps: fc.array(stepArb, { minLength: 1, maxLength: 15 }),
});

interface Walk {
  readonly machine: MachineDefinition;
  readonly begin: readonly string[];
  readonly steps: readonly Step[];
}

let home: Latchkey;
let walks = 0;
beforeAll(async () => {
  const { url } = await useValkey();
  home = await connect({ url, namespace: freshNamespace() });
  return () => home.close();
});

function values(fields: readonly string[]): Record<string, string> {
  return Object.fromEntries(fields.map((field) => [field, `of ${field}`]));
}

/** Returns the words of a call that sets and unsets fields, as a client sends them. */
function words(set: readonly string[], unset: readonly string[] = []): string[] {
  return [
    ...set.flatMap((field) => ["SET", field, JSON.stringify(`of ${field}`)]),
    ...unset.flatMap((field) => ["UNSET", field]),
  ];
}

/** Takes the same steps on the server, in XState and in a model. Throws if they disagree. */
async function walk({ machine, begin, steps }: Walk, modelled: MachineDefinition = machine): Promise<void> {
  walks += 1;
  const entities = await home.machine({ ...machine, name: `m${walks}` });
  const chart = createMachine(toXState(machine));
  let snapshot = getInitialSnapshot(chart);
  const created = await entities.tryCreate("e", values(begin));
  const model = new Model(compileMachine(modelled));
  expect(created.outcome).toBe(model.run("create", "e", ...words(begin)).outcome);
  if (!created.ok) return;
  const times = new Map([[iso(model), created.document.timestamp]]);
  for (const { to, set, unset } of steps) {
    const options = { set: values(set), unset };
    const result =
      to === undefined
        ? await entities.tryPatch("e", options)
        : await entities.tryTransition("e", to, options);
    model.timeMs += 1;
    const args = words(set, unset);
    const reply =
      to === undefined ? model.run("patch", "e", ...args) : model.run("transition", "e", to, ...args);
    expect(result.outcome).toBe(reply.outcome);
    if (to !== undefined) {
      expect(result.outcome !== "ILLEGAL").toBe(snapshot.can({ type: to }));
      if (result.ok) [snapshot] = transition(chart, snapshot, { type: to });
    }
    if (result.ok) times.set(iso(model), result.document.timestamp);
  }
  const now = await entities.get("e");
  if (now === null) throw new Error("The entity is gone");
  expect(now.state).toBe(snapshot.value);
  const entity = JSON.parse(model.run("get", "e").text ?? "");
  expect([now.state, now.version]).toEqual([entity.state, entity.version]);
  // The model has its own clock, so its stamps are compared by the changes that set them.
  const expected = Object.entries(ownFields(entity)).map(([field, value]) => [
    field,
    times.get(String(value)) ?? value,
  ]);
  expect(ownFields(now)).toEqual(Object.fromEntries(expected));
}

function iso({ timeMs }: Model): string {
  return new Date(timeMs).toISOString();
}

it("the server, XState and the model agree on every step of random walks over random machines", async () => {
  await fc.assert(
    fc.asyncProperty(walkArb, (drawn) => walk(drawn)),
    { numRuns: 300 },
  );
});

describe("a wrong model is detected:", () => {
  type States = Record<string, { to: string[]; require: string[]; stamp?: string }>;
  const wrong: Record<string, (states: States) => States> = {
    "one transition too many or too few": ({ open, ...rest }) => ({
      open: flip(open ?? { to: [], require: [] }),
      ...rest,
    }),
    "required fields that are not checked": (states) =>
      Object.fromEntries(Object.entries(states).map(([name, state]) => [name, { ...state, require: [] }])),
    "stamps that are not set": (states) =>
      Object.fromEntries(Object.entries(states).map(([name, { stamp, ...state }]) => [name, state])),
  };

  function flip({ to, ...state }: States[string]): States[string] {
    return { ...state, to: to.includes("open") ? to.filter((name) => name !== "open") : [...to, "open"] };
  }

  for (const [name, mutate] of Object.entries(wrong)) {
    it(name, async () => {
      const property = fc.asyncProperty(walkArb, (drawn) =>
        walk(drawn, { ...drawn.machine, states: mutate(drawn.machine.states as States) }),
      );
      const { failed, counterexample } = await fc.check(property, { numRuns: 200, seed: 1 });
      expect(failed).toBe(true);
      // Shrunk to what matters.
      expect(counterexample?.[0].steps.length).toBeLessThanOrEqual(2);
    });
  }
});
