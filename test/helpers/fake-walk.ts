import fc from "fast-check";
import type { MachineDefinition, StateDefinition } from "../../src/index.js";

export const STATES = ["open", "constructor", "a-b", "done"];
const FIELDS = ["f0", "f1", "toString"];
const STAMPS = ["firstAt", "lastAt"];
const IDS = ["a", "b"];
/** Idempotency keys of the calls; the client generates the others. */
export const KEYS = ["k1", "k2", "k3"];

const stateArb = fc.record({
  to: fc.subarray(STATES),
  require: fc.subarray([...FIELDS, ...STAMPS], { maxLength: 1 }),
  stamp: fc.option(fc.constantFrom(...STAMPS), { nil: undefined }),
  event: fc.option(fc.constant("custom.event"), { nil: undefined, freq: 3 }),
  timeoutTo: fc.option(fc.nat(9), { nil: undefined }),
  leaseTo: fc.option(fc.nat(9), { nil: undefined }),
  isRetained: fc.boolean(),
});

type Drawn = typeof stateArb extends fc.Arbitrary<infer T> ? T : never;

const HOUR = 3_600_000;

function stateOf(drawn: Drawn, at: number, required: readonly string[][]): StateDefinition {
  const { to, stamp, event, timeoutTo, leaseTo, isRetained } = drawn;
  const target = (draw: number | undefined): string | undefined =>
    draw === undefined || to.length === 0 ? undefined : to[draw % to.length];
  const timer = (draw: number | undefined) => {
    const state = target(draw);
    const fields = required[STATES.indexOf(state ?? "")] ?? [];
    // A timer whose target requires a stamp can be stuck, which other tests cover.
    if (state === undefined || fields.some((field) => STAMPS.includes(field))) return undefined;
    return { to: state, set: Object.fromEntries(fields.map((field) => [field, `timed ${field}`])) };
  };
  const [timeout, lease] = [timer(timeoutTo), timer(leaseTo)];
  return {
    to,
    require: required[at] ?? [],
    ...(stamp !== undefined && { stamp }),
    ...(event !== undefined && { event: `${event}-${at}` }),
    ...(timeout !== undefined && { timeout: { after: HOUR, ...timeout } }),
    ...(lease !== undefined && { lease: { for: 2 * HOUR, ...lease } }),
    ...(to.length === 0 && isRetained && { retain: HOUR }),
  };
}

/** Machines with required fields, stamps, own events, timers of an hour or more, and short histories. */
export const machineArb: fc.Arbitrary<MachineDefinition> = fc
  .tuple(
    fc.array(stateArb, { minLength: STATES.length, maxLength: STATES.length }),
    fc.integer({ min: 1, max: 5 }),
  )
  .map(([drawn, history]) => {
    // The initial state cannot require a stamp, because no state was entered before.
    const required = drawn.map(({ require }, at) =>
      require.filter((field) => at > 0 || FIELDS.includes(field)),
    );
    const states = Object.fromEntries(
      STATES.map((name, at) => [name, stateOf(drawn[at] as Drawn, at, required)]),
    );
    return { name: "m", version: 1, initial: "open", states, history };
  });

const valueArb = fc.oneof(
  fc.constantFrom<unknown[]>(
    1,
    0.5,
    true,
    null,
    "text",
    'ü 😀 "quoted" \\',
    [1, { a: [] }],
    "x".repeat(1100),
  ),
);
const fieldsArb = fc.dictionary(fc.constantFrom(...FIELDS), valueArb as fc.Arbitrary<string>, { maxKeys: 2 });

const common = {
  op: fc.constantFrom(...KEYS),
  actor: fc.constantFrom("worker-1", ""),
  reason: fc.constantFrom("because", "a\u001b[31m red\nline"),
  dryRun: fc.boolean(),
  notAfter: fc.constantFrom(1, 999_999_999_999_999),
};
const guards = { ifVersion: fc.constantFrom(1, 1, 2, 3), ifState: fc.constantFrom(...STATES) };
const changes = { set: fieldsArb, unset: fc.subarray([...FIELDS, ...STAMPS], { maxLength: 1 }) };

/** Options of a call, each of them in some calls only. */
function options<T extends object>(parts: { [K in keyof T]: fc.Arbitrary<T[K]> }, share = 4) {
  const optional = Object.fromEntries(
    Object.entries<fc.Arbitrary<unknown>>(parts).map(([name, arbitrary]) => [
      name,
      fc.oneof({ weight: share, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary }),
    ]),
  );
  return fc
    .record(optional)
    .map((drawn) => Object.fromEntries(Object.entries(drawn).filter(([, value]) => value !== undefined)));
}

const id = fc.constantFrom(...IDS);
const state = fc.constantFrom(...STATES, "unknown");

/** One call on the entities. */
export type Step =
  | { readonly call: "tryCreate"; readonly args: [id: string, fields: object, options: object] }
  | { readonly call: "tryTransition"; readonly args: [id: string, to: string, options: object] }
  | { readonly call: "tryPatch" | "tryRemove" | "tryHeartbeat"; readonly args: [id: string, options: object] }
  | { readonly call: "tryRestore"; readonly args: [id: string, state: string, options: object] }
  | { readonly call: "sweep"; readonly args?: undefined };

const call = <C extends Step["call"]>(name: C) => fc.constant(name);

export const stepArb: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ call: call("tryCreate"), args: fc.tuple(id, fieldsArb, options(common)) }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      call: call("tryTransition"),
      args: fc.tuple(id, state, options({ ...common, ...guards, ...changes, force: fc.boolean() })),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      call: call("tryPatch"),
      args: fc.tuple(id, options({ ...common, ...guards, ...changes }, 1)),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ call: call("tryRemove"), args: fc.tuple(id, options({ ...common, ...guards })) }),
  },
  { weight: 2, arbitrary: fc.record({ call: call("tryHeartbeat"), args: fc.tuple(id, options(guards)) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      call: call("tryRestore"),
      args: fc
        .tuple(
          id,
          state,
          options({ ...common, fields: fieldsArb }),
          fc.integer({ min: 1, max: 9 }),
          fc.boolean(),
        )
        .map(([of, to, drawn, version, isOld]): [string, string, object] => [
          of,
          to,
          // Entered long ago, so that its timer has expired.
          { ...drawn, version, ...(isOld && { since: "2026-01-01T00:00:00.000Z" }) },
        ]),
    }),
  },
  { weight: 2, arbitrary: fc.record({ call: call("sweep") }) },
);
