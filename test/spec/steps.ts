import fc from "fast-check";
import type { Operation } from "./rules.js";

/** A step of a walk. Numbers choose among what there is when the step is taken. */
export type Step =
  | {
      readonly kind: "call";
      operation: Operation;
      id: number;
      hasOp: boolean;
      to: number;
      seen: number;
      isLate: boolean;
    }
  | { readonly kind: "copy"; readonly which: number; readonly isLate: boolean }
  | { readonly kind: "patches"; readonly id: number; readonly count: number; readonly haveOps: boolean }
  | { readonly kind: "advance"; readonly sequence: number }
  | { readonly kind: "fill"; readonly excess: number }
  | { readonly kind: "replicate" | "fail over" | "apply" };

const choice = fc.nat({ max: 1000 });
const operation = fc.constantFrom<Operation>("create", "create", "transition", "patch", "remove", "restore");
const isLate = fc.integer({ min: 0, max: 9 }).map((drawn) => drawn === 0);

export const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 20,
      arbitrary: fc.record({
        ...{ kind: fc.constant("call" as const), operation, id: choice, hasOp: isLate.map((is) => !is) },
        ...{ to: choice, seen: choice, isLate },
      }),
    },
    { weight: 20, arbitrary: fc.record({ kind: fc.constant("copy" as const), which: choice, isLate }) },
    {
      weight: 3,
      arbitrary: fc.record({
        ...{ kind: fc.constant("patches" as const), id: choice },
        ...{ count: fc.integer({ min: 1, max: 60 }), haveOps: fc.boolean() },
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("advance" as const), sequence: fc.constantFrom(0, 1021) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("fill" as const), excess: fc.nat({ max: 20 }) }) },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constantFrom("replicate" as const, "fail over" as const, "apply" as const),
      }),
    },
  ),
  { minLength: 30, maxLength: 60 },
);
