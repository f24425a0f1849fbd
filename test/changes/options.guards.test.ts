import { describe, expect, it } from "vitest";
import {
  AlreadyExistsError,
  ConflictError,
  DeadlineExceededError,
  IllegalTransitionError,
  MissingFieldError,
  NotFoundError,
  OutcomeForgottenError,
  RejectedError,
} from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { agents, client, entities, rejectionOf } from "../helpers/client.js";
import { keyspace } from "../helpers/keyspace.js";
import { order } from "../helpers/order.js";

describe("ifVersion and ifState", () => {
  it("accept a change if the entity matches", async () => {
    const ours = await agents();
    await ours.create("a1");
    expect(await ours.patch("a1", { set: { n: 1 }, ifVersion: 1 })).toMatchObject({ version: 2 });
    expect(await ours.transition("a1", "running", { ifVersion: 2, ifState: "spawning" })).toMatchObject({
      version: 3,
    });
    expect(await ours.remove("a1", { ifState: "running" })).toMatchObject({ version: 4 });
  });

  it("reject a change if it does not, and name the expected and the current values", async () => {
    const ours = await agents();
    await ours.create("a1");
    const now = await ours.get("a1");
    const found = "found state spawning, version 1";
    for (const [call, expected] of [
      [() => ours.transition("a1", "running", { ifVersion: 7 }), "version 7"],
      [() => ours.patch("a1", { set: { n: 1 }, ifState: "running" }), "state running"],
      [() => ours.remove("a1", { ifVersion: 0, ifState: "spawning" }), "state spawning, version 0"],
    ] as const) {
      const error = await rejectionOf(ConflictError, call());
      expect(error).toMatchObject({ code: "CONFLICT", machine: "agent", id: "a1", current: now });
      expect(error.message).toBe(`agent a1 does not match: expected ${expected}; ${found}`);
    }
    expect(await ours.get("a1")).toEqual(now);
  });
});

describe("`op` and `seen`", () => {
  it("a change repeated with its `op` is applied once and returns the current entity", async () => {
    const ours = await agents();
    await ours.create("a1", { n: 0 }, { op: "o1" });
    await ours.transition("a1", "running", { op: "o2" });
    const now = await ours.get("a1");
    expect(await ours.create("a1", { n: 0 }, { op: "o1" })).toEqual({ ...now, opVersion: 1 });
    expect(await ours.tryTransition("a1", "running", { op: "o2" })).toEqual({
      ok: true,
      outcome: "REPLAYED",
      document: { ...now, opVersion: 2 },
    });
    expect(await ours.get("a1")).toEqual(now);
  });

  it("a change without `op` gets a generated one", async () => {
    const ours = await agents();
    const [first, second] = [await ours.create("a1"), await ours.create("a2")];
    expect(first.op).toMatch(/^[A-Za-z0-9_-]{12}$/);
    expect(second.op).not.toBe(first.op);
  });

  it("a retry is rejected if its idempotency key has been forgotten", async () => {
    const home = await client();
    const ours = await home.machine(order);
    const seen = await ours.position("a1");
    await ours.create("a1", {}, { op: "o0" });
    for (let n = 1; n <= 60; n++) await ours.patch("a1", { set: { n }, op: `o${n}` });
    const now = await ours.get("a1");
    await forgetEvents(home.namespace);
    const retry = { set: { n: -1 }, op: "o0", seen } as const;
    const error = await rejectionOf(OutcomeForgottenError, ours.patch("a1", retry));
    expect(error).toMatchObject({ code: "FORGOTTEN", current: now });
    expect(error.message).toContain("the outcome of the first attempt is no longer known");
    expect(await ours.patch("a1", { ...retry, op: "o30" })).toEqual({ ...now, opVersion: 31 });
    expect(await ours.get("a1")).toEqual(now);
  });

  it("a retry of create is rejected if the entity was removed since, and its change cannot be found", async () => {
    const home = await client();
    const ours = await home.machine(order);
    const retry = { op: "o1", seen: await ours.position("a1") } as const;
    await ours.create("a1", {}, retry);
    await ours.remove("a1");
    expect(await ours.create("a1", {}, retry)).toMatchObject({ type: "order.draft", version: 1 });
    await forgetEvents(home.namespace);
    const error = await rejectionOf(OutcomeForgottenError, ours.create("a1", {}, retry));
    expect(error.current).toBeNull();
    expect(await ours.get("a1")).toBeNull();
  });

  it("a first attempt is applied although the client's position is old", async () => {
    const [one, other] = [await client(), await client()];
    const [mine, theirs] = [
      await one.machine(order),
      await (await client({ namespace: one.namespace })).machine(order),
    ];
    await mine.create("a1");
    for (let n = 1; n <= 60; n++) await theirs.patch("a1", { set: { n } });
    expect(await mine.patch("a1", { set: { n: 0 } })).toMatchObject({ version: 62 });
    await theirs.remove("a1");
    expect(await mine.create("a1")).toMatchObject({ version: 1 });
    await other.close();
  });

  it("a first attempt is applied although the server lost the events that the client has seen", async () => {
    const home = await client();
    const ours = await home.machine(order);
    await ours.create("a1");
    const valkey = await admin();
    const events = `{${home.namespace}:0}:order:events`;
    await valkey.call("XSETID", events, "99999999999999-0");
    await ours.patch("a1", { set: { n: 1 } });
    await valkey.del(events);
    expect(await ours.patch("a1", { set: { n: 2 } })).toMatchObject({ version: 3 });
  });
});

describe("notAfter", () => {
  it("rejects a call that is late by the server's clock, with the current entity", async () => {
    const home = await client();
    const ours = await home.machine(order);
    await ours.create("a1");
    const now = await ours.get("a1");
    const { nowMs, errorMs } = await home.serverTime();
    const late = { notAfter: nowMs - errorMs - 1 };
    for (const call of [
      () => ours.transition("a1", "submitted", late),
      () => ours.patch("a1", { set: { n: 1 }, ...late }),
      () => ours.remove("a1", late),
      () => ours.create("a1", {}, late),
    ]) {
      const error = await rejectionOf(DeadlineExceededError, call());
      expect(error).toMatchObject({ code: "EXPIRED", current: now });
      expect(error.message).toBe("order a1 was not changed: notAfter has passed");
    }
    expect((await rejectionOf(DeadlineExceededError, ours.create("a2", {}, late))).current).toBeNull();
    expect(await ours.get("a1")).toEqual(now);
    const inTime = { notAfter: nowMs + errorMs + 60_000 };
    expect(await ours.transition("a1", "submitted", inTime)).toMatchObject({ version: 2 });
  });
});

describe("force", () => {
  it("allows any transition, marks the change as forced, and keeps all other checks", async () => {
    const ours = await entities(order);
    await ours.create("a1");
    const forced = await ours.transition("a1", "delivered", { force: true, reason: "found on the shelf" });
    expect(forced).toMatchObject({
      from: "draft",
      state: "delivered",
      forced: true,
      closedAt: forced.timestamp,
    });
    expect(await ours.get("a1")).not.toHaveProperty("forced");
    const undo = { force: true, reason: "not yet", unset: ["closedAt"] };
    expect(await ours.transition("a1", "draft", undo)).not.toHaveProperty("closedAt");
    await ours.transition("a1", "delivered", { force: true, reason: "now" });
    const missing = ours.transition("a1", "shipped", { force: true, reason: "again" });
    expect((await rejectionOf(MissingFieldError, missing)).fields).toEqual(["carrier"]);
    const elsewhere = ours.transition("a1", "draft", { force: true, reason: "r", ifState: "paid" });
    await rejectionOf(ConflictError, elsewhere);
    await rejectionOf(
      IllegalTransitionError,
      ours.transition("a1", "nowhere" as "draft", { force: true, reason: "r" }),
    );
  });
});

describe("a rejection", () => {
  it("names the missing fields and the state that requires them", async () => {
    const ours = await entities(order);
    await ours.create("a1");
    const rejected = { force: true, reason: "r" };
    const error = await rejectionOf(MissingFieldError, ours.transition("a1", "rejected", rejected));
    expect(error).toMatchObject({ code: "MISSING", fields: ["error"], current: { state: "draft" } });
    expect(error.message).toBe('order a1: state rejected requires field "error"; set it in the same call');
    await ours.transition("a1", "rejected", { ...rejected, set: { error: null } });
    const unset = await rejectionOf(MissingFieldError, ours.patch("a1", { unset: ["error"] }));
    expect(unset.fields).toEqual(["error"]);
    expect(await ours.get("a1")).toMatchObject({ error: null, version: 2 });
  });

  it("names the fields that the initial state requires on creation", async () => {
    const ours = await entities({
      name: "picky",
      version: 1,
      initial: "made",
      states: { made: { require: ["constructor", "toString", "ok"] } },
    });
    const error = await rejectionOf(MissingFieldError, ours.create("p1", { ok: 1 }));
    expect(error).toMatchObject({ fields: ["constructor", "toString"], current: null });
    expect(error.message).toBe(
      'picky p1: state made requires fields "constructor", "toString"; set them in the same call',
    );
    const made = await ours.create("p1", { ok: 1, constructor: 2, toString: 3 });
    expect(made).toMatchObject({ ok: 1, constructor: 2, toString: 3 });
  });

  it("carries the current entity, and changes no byte of the keyspace", async () => {
    const home = await client();
    const ours = await home.machine(order);
    await ours.create("a1", { n: 1 });
    const before = await keyspace(await admin(), home.namespace);
    const now = await ours.get("a1");
    for (const [kind, call] of [
      [AlreadyExistsError, () => ours.create("a1")],
      [IllegalTransitionError, () => ours.transition("a1", "delivered")],
      [ConflictError, () => ours.patch("a1", { set: { n: 2 }, ifVersion: 9 })],
      [NotFoundError, () => ours.transition("a2", "submitted")],
      [NotFoundError, () => ours.patch("a2", { set: { n: 1 } })],
      [NotFoundError, () => ours.remove("a2")],
    ] as const) {
      const error = await rejectionOf(RejectedError, call());
      expect(error).toBeInstanceOf(kind);
      expect(error.name).toBe(kind.name);
      expect(error.current).toEqual(kind === NotFoundError ? null : now);
    }
    expect(await keyspace(await admin(), home.namespace)).toEqual(before);
    expect((await rejectionOf(AlreadyExistsError, ours.create("a1"))).message).toBe(
      "order a1 already exists: state draft, version 1",
    );
    expect((await rejectionOf(NotFoundError, ours.remove("a2"))).message).toBe("order a2 not found");
  });
});

/** Empties the event log, which keeps the idempotency keys that the entity has forgotten. */
async function forgetEvents(namespace: string): Promise<void> {
  await (await admin()).xtrim(`{${namespace}:0}:order:events`, "MAXLEN", 0);
}
