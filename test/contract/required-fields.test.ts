import { expect, test } from "vitest";
import { missingFields } from "../../src/contract/required-fields.js";
import { compileMachine } from "../../src/machine/compile.js";

const definition = compileMachine({
  name: "order",
  version: 1,
  initial: "open",
  states: { open: { to: ["paid"] }, paid: { require: ["receipt", "paidAt", "toString"], stamp: "paidAt" } },
});
const paid = { definition, state: "paid", isEntered: true, current: {} };

test("fields are missing that neither the entity nor the call has, and those that the call removes", () => {
  expect(missingFields(paid)).toEqual(["receipt", "toString"]);
  expect(missingFields({ ...paid, set: { receipt: 1 } })).toEqual(["toString"]);
  expect(missingFields({ ...paid, current: { receipt: 1, toString: 2 } })).toEqual([]);
  expect(missingFields({ ...paid, current: { receipt: 1, toString: 2 }, unset: ["receipt"] })).toEqual([
    "receipt",
  ]);
});

test("the stamp of a state is missing only if the entity is in the state without it", () => {
  expect(missingFields({ ...paid, set: { receipt: 1, toString: 2 } })).toEqual([]);
  const stays = { ...paid, isEntered: false, current: { receipt: 1, toString: 2 } };
  expect(missingFields(stays)).toEqual(["paidAt"]);
  expect(
    missingFields({ ...stays, current: { ...stays.current, paidAt: "2026-01-01T00:00:00.000Z" } }),
  ).toEqual([]);
});

test("an unknown state requires nothing", () => {
  expect(missingFields({ ...paid, state: "constructor" })).toEqual([]);
});
