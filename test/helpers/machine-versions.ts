import fc from "fast-check";
import type { MachineDefinition, StateDefinition } from "../../src/index.js";

const WAYS: Readonly<Record<string, readonly string[]>> = {
  waiting: ["working", "held", "done"],
  working: ["waiting", "held", "spare", "lost", "done"],
  held: ["held", "working", "lost"],
  spare: ["spare", "working", "held", "lost"],
  lost: ["working"],
  done: ["waiting"],
};
/** Every state that a version may have. */
export const STATES = Object.keys(WAYS);
/** Those in which entities are mostly found. */
const BUSY = ["waiting", "working", "held"];

/** Seconds, and which of a state's targets; 0 s for no such timer. */
interface Timers {
  readonly timeout: number;
  readonly timeoutTo: number;
  readonly lease: number;
  readonly leaseTo: number;
  readonly retain: number;
}

/** One thing that a newer version has otherwise. */
export type Edit =
  | ({ readonly kind: "timers"; readonly state: string } & Timers)
  | { readonly kind: "drop" | "final" | "require"; readonly state: string }
  | { readonly kind: "history"; readonly length: number };

const seconds = fc.constantFrom(0, 0, 1, 5, 10, 20, 30, 60, 90);
const timers = {
  timeout: seconds,
  timeoutTo: fc.nat(9),
  lease: seconds,
  leaseTo: fc.nat(9),
  retain: seconds,
};
const none: Timers = { timeout: 0, timeoutTo: 0, lease: 0, leaseTo: 0, retain: 0 };
const state = (...names: string[]) => fc.constantFrom(...names);

/** Changes from one version to the next: mostly timers. */
export const editArb: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("timers"), state: state(...STATES), ...timers }) },
  { weight: 8, arbitrary: fc.record({ kind: fc.constant("timers"), state: state(...BUSY), ...timers }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("drop"), state: state("held", "spare") }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("final"), state: state("lost", "done") }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("require"), state: fc.constant("lost") }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("history"), length: fc.integer({ min: 1, max: 6 }) }),
  },
);

/** The timers of a first version, for each state a set or none. */
export const firstArb: fc.Arbitrary<readonly Edit[]> = fc.tuple(
  ...STATES.map((name) =>
    fc
      .oneof(fc.record(timers), fc.constant(none))
      .map((drawn) => ({ kind: "timers" as const, state: name, ...drawn })),
  ),
);

/** Parts of a version. */
export interface Plan {
  readonly timers: ReadonlyMap<string, Timers>;
  /** States that it lacks. */
  readonly drop: ReadonlySet<string>;
  /** Those of `lost` and `done` from which nothing leads on. */
  readonly final: ReadonlySet<string>;
  /** States that require the stamp of `held`. */
  readonly require: ReadonlySet<string>;
  readonly history: number;
}

export const FIRST: Plan = {
  ...{
    timers: new Map(),
    drop: new Set(),
    final: new Set(["lost", "done"]),
    require: new Set(["lost"]),
    history: 6,
  },
};

/** The plan with the edits: timers and history as they say, the rest the other way round. */
export function edited(plan: Plan, edits: readonly Edit[]): Plan {
  let after = plan;
  for (const edit of edits) {
    if (edit.kind === "timers") {
      after = { ...after, timers: new Map(after.timers).set(edit.state, edit) };
    } else if (edit.kind === "history") after = { ...after, history: edit.length };
    else {
      const set = new Set(after[edit.kind]);
      if (!set.delete(edit.state)) set.add(edit.state);
      after = { ...after, [edit.kind]: set };
    }
  }
  return after;
}

export function definitionOf(plan: Plan, name: string, version: number): MachineDefinition {
  const present = STATES.filter((state) => !plan.drop.has(state));
  const states = Object.fromEntries(present.map((state) => [state, stateOf(plan, state, present)]));
  return { name, version, initial: "waiting", states, history: plan.history };
}

function stateOf(
  { timers, final, require }: Plan,
  name: string,
  present: readonly string[],
): StateDefinition {
  const isFinal = final.has(name);
  const to = isFinal ? [] : (WAYS[name] ?? []).filter((other) => present.includes(other));
  const { timeout = 0, timeoutTo = 0, lease = 0, leaseTo = 0, retain = 0 } = timers.get(name) ?? {};
  const target = (way: number) => to[way % to.length] ?? "";
  const isStamped = present.includes("held"); // a stamp that no state sets cannot be required
  return {
    to,
    ...(name === "held" && { stamp: "seenAt" }),
    ...(isStamped && require.has(name) && { require: ["seenAt"] }),
    ...(!isFinal && timeout > 0 && { timeout: { after: timeout * 1000, to: target(timeoutTo) } }),
    ...(!isFinal && lease > 0 && { lease: { for: lease * 1000, to: target(leaseTo) } }),
    ...(isFinal && retain > 0 && { retain: retain * 1000 }),
  };
}
