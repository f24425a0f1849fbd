import { expect, it } from "vitest";
import { type Change, ContractError } from "../../src/index.js";
import { rejectionOf } from "../helpers/client.js";
import { held, LEASE_MS, SOON, working } from "../helpers/held.js";

it("accepts the result of a `try…` call, and holds the version that it made", async () => {
  const { tasks, leaseAt } = await working("t1");
  const { hold, losses } = await held(tasks, "t1", 2);
  // Own fields may have the names that a result has.
  const set = { ok: false, outcome: "OK" };
  const result = await hold.change((ifVersion) => tasks.tryPatch("t1", { set, ifVersion }));
  expect(result).toMatchObject({ ok: true, document: { version: 3 } });
  await hold.change((ifVersion) => tasks.patch("t1", { set, ifVersion }));
  const before = await leaseAt("t1");
  await expect.poll(() => leaseAt("t1"), SOON).toBeGreaterThan(before + LEASE_MS);
  expect([hold.version, losses]).toEqual([4, []]);
});

it("reports the loss before it returns the rejection of a `try…` call", async () => {
  const { tasks } = await working("t1");
  const { hold, losses } = await held(tasks, "t1", 2);
  await tasks.patch("t1", { set: { taken: true } });
  const result = await hold.change((ifVersion) => tasks.tryPatch("t1", { set: { n: 1 }, ifVersion }));
  expect(result).toMatchObject({ ok: false, outcome: "CONFLICT", current: { taken: true } });
  expect([losses.length, hold.signal.reason]).toEqual([1, losses[0]]);
});

it("ends without a loss if a `try…` call left the state", async () => {
  const { tasks } = await working("t1");
  const { hold, losses } = await held(tasks, "t1", 2);
  await hold.change((ifVersion) => tasks.tryTransition("t1", "done", { ifVersion }));
  const error = await rejectionOf(
    ContractError,
    hold.change(() => tasks.patch("t1", { set: { n: 1 } })),
  );
  expect([error.code, hold.signal.aborted, losses]).toEqual(["CLOSED", false, []]);
});

it.each([
  ["undefined", undefined],
  ["null", null],
  ["a number", 3],
  ["an empty object", {}],
  ["an entity that was read", { machine: "task", id: "t1", state: "working", version: 2 }],
  ["a change of task t2", { type: "task.updated", machine: "task", id: "t2", state: "working", version: 3 }],
  ["a change of other t1", { type: "other.updated", machine: "other", id: "t1", state: "a", version: 3 }],
])("rejects a callback that returns %s, and continues", async (what, given) => {
  const { tasks, leaseAt } = await working("t1");
  const { hold, losses } = await held(tasks, "t1", 2);
  const error = await rejectionOf(
    ContractError,
    hold.change(async () => given as unknown as Change),
  );
  expect(error.code).toBe("BADARG");
  expect(error.message).toBe(
    `the callback of change returned ${what.replace(/^(a number|an empty object)$/, "something else")}, not a change of task t1; ` +
      "return the result of its call",
  );
  const before = await leaseAt("t1");
  await expect.poll(() => leaseAt("t1"), SOON).toBeGreaterThan(before);
  expect([hold.version, losses]).toEqual([2, []]);
});

it("reports the loss before it rejects a callback that does not return its change", async () => {
  const { tasks } = await working("t1");
  const { hold, losses } = await held(tasks, "t1", 2);
  const make = async (ifVersion: number): Promise<void> => {
    await tasks.patch("t1", { set: { n: 1 }, ifVersion });
  };
  await rejectionOf(ContractError, hold.change(make as unknown as () => Promise<Change>));
  expect(losses).toEqual([hold.signal.reason]);
});
