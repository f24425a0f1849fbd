import { expect, it } from "vitest";
import { type Entities, WaitError, type WaitTarget } from "../../src/index.js";
import { admin } from "../helpers/calls.js";
import { client, rejectionOf } from "../helpers/client.js";
import { type DialState, dial } from "../helpers/dial.js";
import { startProxy } from "../helpers/proxy.js";
import { subscribed } from "../helpers/subscribed.js";
import { useValkey } from "../helpers/valkey.js";

type Dials = Entities<DialState>;

/**
 * Waits for the dial `x1`, which is in state `a`, while the connection is lost, the dial changes, and the event log is
 * trimmed.
 */
async function apart(target: WaitTarget<DialState>, meanwhile: (near: Dials) => Promise<unknown>) {
  const proxy = await startProxy(await useValkey());
  const far = await client({ url: proxy.url });
  const { namespace } = far;
  const near = await (await client({ namespace })).machine(dial);
  const ours = await far.machine(dial);
  const valkey = await admin();
  await near.create("x1", { note: "first", old: 1 });
  const waiting = ours.waitFor("x1", target as DialState);
  waiting.catch(() => {}); // awaited by the caller
  await expect.poll(() => subscribed(valkey, namespace, "dial")).toBe(1);
  proxy.shut(true);
  proxy.cut();
  await meanwhile(near);
  await near.create("x2");
  await valkey.xtrim(`{${namespace}:0}:dial:events`, "MAXLEN", 1);
  proxy.shut(false);
  return { waiting };
}

const LARGE = "x".repeat(2000);

it("a wait returns the change to a state that the entity passed through during a gap, with all fields", async () => {
  let passed: unknown;
  const { waiting } = await apart("b", async (near) => {
    await near.patch("x1", { set: { note: "second", n: 1.5 }, unset: ["old"] });
    passed = await near.transition("x1", "b", { set: { list: [1] }, actor: "me", reason: "why", op: "o1" });
    await near.transition("x1", "c", { set: { note: "third" }, unset: ["list"] });
    await near.transition("x1", "a");
  });
  expect(await waiting).toEqual(passed);
});

it("a wait with a predicate judges each change of a gap", async () => {
  let passed: unknown;
  const { waiting } = await apart(
    ({ n }) => n === 2,
    async (near) => {
      for (let n = 1; n < 4; n += 1) {
        const change = await near.patch("x1", { set: { n } });
        if (n === 2) passed = change;
      }
    },
  );
  expect(await waiting).toEqual(passed);
});

it("a wait finds a large field that its record only names, if nothing has changed it since", async () => {
  let passed: unknown;
  const { waiting } = await apart("b", async (near) => {
    passed = await near.transition("x1", "b", { set: { note: LARGE } });
    await near.transition("x1", "a");
  });
  expect(await waiting).toEqual(passed);
});

it("a wait goes on after a gap in which the entity did not change, or not to the state", async () => {
  for (const meanwhile of [async () => {}, (near: Dials) => near.patch("x1", { set: { note: LARGE } })]) {
    let near: Dials | undefined;
    const { waiting } = await apart("b", async (list) => {
      near = list;
      await meanwhile(list);
    });
    const done = await near?.transition("x1", "b");
    expect(await waiting).toMatchObject({ state: "b", version: done?.version });
  }
});

const removedAndBack = async (near: Dials) => {
  await near.transition("x1", "b");
  await near.remove("x1");
  await near.create("x1");
};

const overwritten = async (near: Dials) => {
  await near.transition("x1", "b", { set: { note: LARGE } });
  await near.transition("x1", "a", { set: { note: "" } });
};

const often = async (near: Dials) => {
  for (let n = 0; n < 41; n += 1) await near.patch("x1", { set: { n } });
};

it.each([
  ["more changes than its history holds", often, "version 1 are no longer known; it is a"],
  ["a removal", (near: Dials) => near.remove("x1"), "version 1 are no longer known; it is gone"],
  ["a removal and another creation", removedAndBack, "version 1 are no longer known; it is a"],
  ["a value that is no longer known", overwritten, "version 1 are no longer known; it is a"],
])("a wait rejects if the gap hides %s", async (_, meanwhile, text) => {
  const { waiting } = await apart("b", meanwhile);
  const error = await rejectionOf(WaitError, waiting);
  expect(error.code).toBe("GAP");
  expect(error.message).toBe(`dial x1 may have been b: changes after ${text}`);
});

it("a wait that cannot know all changes of a gap returns the entity if it matches now", async () => {
  const { waiting } = await apart("b", async (near) => {
    await often(near);
    await near.transition("x1", "b");
  });
  expect(await waiting).toMatchObject({ state: "b", version: 43 });
});
