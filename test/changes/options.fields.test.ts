import fc from "fast-check";
import { expect, it } from "vitest";
import { type JsonValue, ownFields } from "../../src/index.js";
import { agents, all } from "../helpers/client.js";

const odd: Record<string, JsonValue> = {
  emptyText: "",
  emptyList: [],
  emptyObject: {},
  nested: { list: [[], {}, [[{ "": null }]]], 'key with "quotes"\n': "\u0000\u001f\u007f" },
  unicode: "ü 𝄞 \u2028 \ufeff \uffff é",
  numbers: [0, -0.5, 1e300, 5e-324, 9007199254740991, -1],
  truth: [true, false, null],
  text: '"\\/\b\f\n\r\t',
  long: "x".repeat(60_000),
  __proto: 1,
  constructor: "c",
  toString: ["t"],
};

it("returns own values unchanged from every change and every read", async () => {
  const ours = await agents();
  const created = await ours.create("a1", odd);
  const patched = await ours.patch("a1", { set: { more: odd } });
  const expected = { ...odd, more: odd };
  expect(ownFields(created)).toEqual(odd);
  const current = await ours.get("a1");
  if (current === null) throw new Error("It is not there");
  const [listed] = await all(ours.list());
  const [, event] = await all(ours.events({ after: "start", follow: false }));
  const refused = await ours.tryTransition("a1", "completed");
  for (const document of [patched, current, listed, event, refused.ok ? undefined : refused.current]) {
    if (!document) throw new Error("A document is missing");
    expect(ownFields(document)).toEqual(expected);
  }
});

it("shows in the history what each change set and removed, and its idempotency key", async () => {
  const ours = await agents();
  const { op, timestamp } = await ours.create("a1", { n: 1, note: "x" });
  await ours.patch("a1", { set: { n: 2 }, unset: ["note"], actor: "ann", reason: "tidy", op: "o2" });
  await ours.patch("a1", { set: { large: "x".repeat(2_000) } });
  const [created, patched, large] = await ours.history("a1");
  const position = expect.stringMatching(/^\d+-\d+$/);
  expect(created).toEqual({
    ...{ position, type: "agent.spawned", from: null, state: "spawning", version: 1, timestamp },
    ...{ set: { n: 1, note: "x" }, op },
  });
  expect(patched).toMatchObject({
    ...{ type: "agent.updated", from: "spawning", version: 2, actor: "ann", reason: "tidy", op: "o2" },
    ...{ set: { n: 2 }, unset: ["note"] },
  });
  expect(large?.set).toEqual(["large"]);
});

it("returns any JSON value unchanged", async () => {
  const ours = await agents();
  await ours.create("a1");
  await fc.assert(
    fc.asyncProperty(fc.jsonValue({ depthSize: "medium", stringUnit: "binary" }), async (value) => {
      const set = { value: value as JsonValue };
      expect((await ours.patch("a1", { set })).value).toEqual(JSON.parse(JSON.stringify(value)));
      expect((await ours.get("a1"))?.value).toEqual(JSON.parse(JSON.stringify(value)));
    }),
    { numRuns: 200 },
  );
});

it("keeps a field with the name of an object's own method", async () => {
  const ours = await agents();
  await ours.create("a1", JSON.parse('{"__proto__":{"x":1},"hasOwnProperty":2}'));
  const [listed] = (await ours.listPage()).items;
  const met = await ours.waitFor("a1", () => true);
  for (const read of [await ours.get("a1"), listed, met]) {
    expect(Object.entries(read === undefined || read === null ? {} : ownFields(read))).toEqual([
      ["__proto__", { x: 1 }],
      ["hasOwnProperty", 2],
    ]);
  }
});

it("sets, keeps and removes fields", async () => {
  const ours = await agents();
  await ours.create("a1", { keep: 1, change: 1, drop: 1 });
  const changed = await ours.patch("a1", { set: { change: 2, fresh: 3 }, unset: ["drop", "never"] });
  expect(ownFields(changed)).toEqual({ keep: 1, change: 2, fresh: 3 });
  const moved = await ours.transition("a1", "running", { set: { fresh: 4 }, unset: ["keep"] });
  expect(ownFields(moved)).toEqual({ change: 2, fresh: 4, startedAt: moved.timestamp });
  expect(ownFields((await ours.get("a1")) ?? changed)).toEqual(ownFields(moved));
});

it("accepts actor and reason in any language, and returns them in the change only", async () => {
  const ours = await agents();
  const words = { actor: 'replica "3" \\ ü𝄞', reason: 'zu spät: "oom" \\ 5 < 6' };
  expect(await ours.create("a1", {}, words)).toMatchObject(words);
  expect((await ours.history("a1"))[0]).toMatchObject(words);
  expect(await ours.get("a1")).not.toHaveProperty("actor");
});

it("keeps as many changes as the machine's history, and returns the newest up to the limit", async () => {
  const ours = await agents();
  await ours.create("a1");
  for (let n = 0; n < 20; n++) await ours.patch("a1", { set: { n } });
  const versions = async (limit?: number) => (await ours.history("a1", limit)).map(({ version }) => version);
  expect(await versions()).toEqual(Array.from({ length: 16 }, (_, n) => n + 6));
  expect(await versions(3)).toEqual([19, 20, 21]);
  expect(await versions(1)).toEqual([21]);
  expect(await versions(1000)).toHaveLength(16);
  expect(await ours.history("a2")).toEqual([]);
});
