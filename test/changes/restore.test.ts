import { expect, it } from "vitest";
import { AlreadyExistsError, agent, MissingFieldError, ownFields } from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { all, client, entities, rejectionOf } from "../helpers/client.js";
import { keyspace } from "../helpers/keyspace.js";
import { order } from "../helpers/order.js";

const times = { createdAt: "2026-01-01T00:00:00.000Z", since: "2026-01-02T00:00:00.000Z" };

it("restore creates an entity with the state, version, times and fields that it had", async () => {
  const [source, target] = [await entities(order), await entities(order)];
  await source.create("o1", { n: 1 });
  await source.transition("o1", "delivered", { force: true, reason: "found" });
  const before = await source.get("o1");
  if (before === null) throw new Error("It is not there");
  const { state, version, createdAt, since } = before;
  const options = { version, createdAt, since, fields: ownFields(before), seen: await source.position("o1") };
  const restored = await target.restore("o1", state, options);
  expect(restored).toMatchObject({ type: "order.restored", from: null, state, version, since });
  const { timestamp: _, ...copy } = (await target.get("o1")) ?? restored;
  const { timestamp: __, ...original } = before;
  expect(copy).toEqual(original);
  expect(await all(target.events({ after: "start", follow: false }))).toEqual([restored]);
});

it("restore is rejected if the entity exists or lacks a required field", async () => {
  const ours = await entities(order);
  await ours.create("o1");
  await rejectionOf(AlreadyExistsError, ours.restore("o1", "delivered", { version: 4, ...times }));
  const missing = await rejectionOf(MissingFieldError, ours.restore("o2", "shipped", { version: 4 }));
  expect(missing.fields).toEqual(["carrier"]);
});

it("restore without times uses the server's clock", async () => {
  const ours = await entities(order);
  const { since, createdAt, timestamp } = await ours.restore("o1", "draft", { version: 9 });
  expect(createdAt).toBe(since);
  expect(Math.abs(Date.parse(since) - Date.parse(timestamp))).toBeLessThan(60_000);
});

it("a dry run returns the change that would be made, and writes nothing", async () => {
  const home = await client();
  const ours = await home.machine(order);
  await ours.create("o1", { n: 1 });
  const before = await keyspace(await admin(), home.namespace);
  const dryRun = true;
  expect(await ours.create("o2", { n: 2 }, { dryRun })).toMatchObject({ id: "o2", version: 1, n: 2 });
  expect(await ours.transition("o1", "submitted", { dryRun })).toMatchObject({
    state: "submitted",
    version: 2,
  });
  expect(await ours.patch("o1", { set: { n: 3 }, dryRun })).toMatchObject({ n: 3, version: 2 });
  expect(await ours.remove("o1", { dryRun })).toMatchObject({ type: "order.removed", version: 2 });
  const restored = await ours.restore("o3", "draft", { version: 7, dryRun });
  expect(restored).toMatchObject({ type: "order.restored", version: 7 });
  expect(await ours.tryTransition("o1", "delivered", { dryRun })).toMatchObject({ outcome: "ILLEGAL" });
  expect(await keyspace(await admin(), home.namespace)).toEqual(before);
});

it.each([
  ["an unknown state", "nowhere", {}, "the machine has no such state"],
  ["a time in the future", "running", { since: "2100-01-01T00:00:00.000Z" }, "not in the future"],
  ["a time before 2001", "running", { since: "1999-01-01T00:00:00.000Z" }, "after 2001-09-09"],
  ["a position far ahead", "running", { seen: "999999999999999-1" }, "seen is too far ahead"],
  [
    "a version that leaves no room for changes",
    "running",
    { version: 9_999_999_999_999 },
    "version must be from 1",
  ],
])("rejects %s with a text that names the remedy", async (_, state, options, text) => {
  const home = await client();
  const agents = await home.machine(agent());
  const restore = agents.restore("late", state as "running", { version: 3, ...options });
  await expect(restore).rejects.toMatchObject({ code: "BADARG", message: expect.stringContaining(text) });
  expect(await agents.get("late")).toBeNull();
});
