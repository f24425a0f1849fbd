import { randomBytes } from "node:crypto";
import { expect, it } from "vitest";
import { admin, Calls, evalsha } from "../helpers/calls.js";
import { keyspace } from "../helpers/keyspace.js";
import { parcel } from "../helpers/parcel.js";

type Part = Record<string, unknown>;

const change = (part: Part) => JSON.stringify({ ...parcel, ...part });
const state = (name: keyof typeof parcel.states, part: Part) =>
  change({ states: { ...parcel.states, [name]: { ...parcel.states[name], ...part } } });
const only = (count: number) => ({
  initial: "s0",
  states: Object.fromEntries(Array.from({ length: count }, (_, n) => [`s${n}`, {}])),
});
const text = JSON.stringify(parcel);

const wrong: Record<string, Record<string, string | Buffer>> = {
  definition: {
    nothing: "",
    "no JSON": "parcel",
    "cut short": text.slice(0, -1),
    "two values": `${text}${text}`,
    "JSON of a decoder that takes too much": text.replace('"version":1', '"version":0x1'),
    "a number that no double holds": text.replace('"version":1', '"version":1e400'),
    "a number with a leading zero": text.replace('"version":1', '"version":01'),
    "broken UTF-8": Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from(',"x":"\xff"}', "latin1")]),
    "half a surrogate pair": text.replace('"parcel.made"', '"\\ud800"'),
    "a raw control character": text.replace("parcel.made", "parcel\u0001made"),
    "a text": '"parcel"',
    "a number": "1",
    true: "true",
    null: "null",
    "an unknown property": change({ colour: 1 }),
    "an unknown property that runs two known words together": change({ "name version": 1 }),
    "more than 64 KiB": change({ $schema: "x".repeat(65_536) }),
    "too deeply nested": "[".repeat(30_000) + "]".repeat(30_000),
    "an empty list": "[]",
    "a list": '["name"]',
  },
  name: {
    none: change({ name: undefined }),
    "a capital": change({ name: "Parcel" }),
    "a number": change({ name: 1 }),
    "33 characters": change({ name: "p".repeat(33) }),
    "a dot": change({ name: "a.b" }),
    null: change({ name: null }),
  },
  version: {
    none: change({ version: undefined }),
    "0": change({ version: 0 }),
    "a fraction": change({ version: 1.5 }),
    "a text": change({ version: "1" }),
    "beyond 10^9": change({ version: 1e9 + 1 }),
    null: change({ version: null }),
    false: change({ version: false }),
  },
  history: {
    "0": change({ history: 0 }),
    "1001": change({ history: 1001 }),
    "a text": change({ history: "4" }),
  },
  events: {
    "a number": change({ events: 5 }),
    "an unknown property": change({ events: { keep: 1, drop: 1 } }),
    "0": change({ events: { keep: 0 } }),
    "beyond 10^7": change({ events: { keep: 1e7 + 1 } }),
    "a list": change({ events: [] }),
  },
  states: {
    none: change({ states: undefined }),
    "a list": change({ states: [{}] }),
    "an empty list": change({ states: [] }),
    "a state that is a list": change({ states: { ...parcel.states, held: [] } }),
    "a text": change({ states: "packed" }),
    "65": change(only(65)),
    "a name with a capital": change({ states: { ...parcel.states, Lost: {} } }),
    "a name with a blank": change({ states: { ...parcel.states, "on hold": {} } }),
    "an empty name": change({ states: { ...parcel.states, "": {} } }),
    "a name with a line break": change({ states: { ...parcel.states, "lost\n": {} } }),
    "a name with a NUL": change({ states: { ...parcel.states, "lost\0": {} } }),
    "a state that is null": change({ states: { ...parcel.states, held: null } }),
    "an unknown property": state("held", { colour: 1 }),
  },
  initial: {
    none: change({ initial: undefined }),
    "no state": change({ initial: "elsewhere" }),
    "a number": change({ initial: 1 }),
  },
  to: {
    "no state": state("held", { to: ["sent", "elsewhere"] }),
    "the same twice": state("held", { to: ["sent", "sent"] }),
    "a text": state("held", { to: "sent" }),
    "an object": state("held", { to: { a: "sent" } }),
    "an empty object": state("held", { to: {} }),
    "a list among them": state("held", { to: [["sent"]] }),
    "null among them": state("held", { to: [null] }),
    "a number among them": state("held", { to: [1] }),
  },
  event: {
    "a blank": state("held", { event: "on hold" }),
    "a capital first": state("held", { event: "Held" }),
    "97 characters": state("held", { event: "e".repeat(97) }),
    empty: state("held", { event: "" }),
    "a quote": state("held", { event: 'a"b' }),
    "the event of a patch": state("held", { event: "parcel.updated" }),
    "the event of a removal": state("held", { event: "parcel.removed" }),
    "the event of a removal, by a state of that name": change({ states: { ...parcel.states, removed: {} } }),
    null: state("held", { event: null }),
    "the event of a restore": state("held", { event: "parcel.restored" }),
    "a list": state("held", { event: [] }),
  },
  stamp: {
    "no field name": state("held", { stamp: "held-at" }),
    "a reserved word": state("held", { stamp: "createdAt" }),
    "a number": state("held", { stamp: 1 }),
    "65 characters": state("held", { stamp: "x".repeat(65) }),
  },
  require: {
    "no field name": state("held", { require: ["a,b"] }),
    "a reserved word": state("held", { require: ["version"] }),
    "the same twice": state("held", { require: ["a", "a"] }),
    "65 fields": state("held", { require: Array.from({ length: 65 }, (_, n) => `f${n}`) }),
    "a text": state("held", { require: "a" }),
    "an object": state("held", { require: {} }),
  },
  timeout: {
    "no target of the state": state("held", { timeout: { after: 1, to: "lost" } }),
    "0 ms": state("held", { timeout: { after: 0, to: "sent" } }),
    "a fraction": state("held", { timeout: { after: 1.5, to: "sent" } }),
    "a duration as text": state("held", { timeout: { after: "1h", to: "sent" } }),
    "no length": state("held", { timeout: { to: "sent" } }),
    "a lease's length": state("held", { timeout: { for: 1, to: "sent" } }),
    "a final state": state("delivered", { timeout: { after: 1, to: "lost" } }),
    "a set that is a text": state("held", { timeout: { after: 1, to: "sent", set: "x" } }),
    "a number": state("held", { timeout: 5 }),
    "a list": state("held", { timeout: [] }),
    "a set that is a list": state("held", { timeout: { after: 1, to: "sent", set: [] } }),
    "a set value nested 101 deep": state("held", {
      timeout: { after: 1, to: "sent", set: { n: "[".repeat(101) + "]".repeat(101) } },
    }),
    "a set value that is no text": state("held", { timeout: { after: 1, to: "sent", set: { n: 5 } } }),
    "a set value whose text is no JSON": state("held", {
      timeout: { after: 1, to: "sent", set: { n: "nan" } },
    }),
    "a set of a reserved field": state("held", { timeout: { after: 1, to: "sent", set: { version: "1" } } }),
    "a set of a stamp": state("held", { timeout: { after: 1, to: "sent", set: { deliveredAt: '"now"' } } }),
    "a set of 65 fields": state("held", {
      timeout: {
        after: 1,
        to: "sent",
        set: Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`f${n}`, "1"])),
      },
    }),
    "no set where its target requires a field": state("packed", { timeout: { after: 1, to: "lost" } }),
    "a set without a field that its target requires": state("packed", {
      timeout: { after: 1, to: "lost", set: { fault: "1" } },
    }),
  },
  lease: {
    "no target of the state": state("held", { lease: { for: 1, to: "lost" } }),
    "beyond 10^12 ms": state("held", { lease: { for: 1e12 + 1, to: "sent" } }),
    "a final state": state("delivered", { lease: { for: 1, to: "lost" } }),
    null: state("held", { lease: null }),
    "a list": state("held", { lease: [] }),
    "a set value that no double holds": state("held", { lease: { for: 1, to: "sent", set: { n: "1e400" } } }),
    "a set of a stamp": state("held", { lease: { for: 1, to: "sent", set: { sentAt: '"now"' } } }),
    "no set where its target requires a field": state("packed", { lease: { for: 1, to: "lost" } }),
  },
  retain: {
    "a state that is not final": state("held", { retain: 1 }),
    "0 ms": state("lost", { retain: 0 }),
    "a text": state("lost", { retain: "7d" }),
    null: state("lost", { retain: null }),
  },
};

const cases = Object.entries(wrong).flatMap(([word, definitions]) =>
  Object.entries(definitions).map(([what, definition]) => [word, what, definition] as const),
);

it.each(cases)("rejects a definition with a wrong %s: %s", async (word, _, definition) => {
  const calls = new Calls(await admin(), "parcel");
  const before = await keyspace(calls.valkey, calls.namespace);
  expect(await calls.error("apply", calls.applyKeys(), [definition])).toBe(`BADARG ${word}`);
  expect(await keyspace(calls.valkey, calls.namespace)).toEqual(before);
});

it.each([
  ["every bound at its highest", { version: 1e9, history: 1000, events: { keep: 1e7 } }],
  ["every bound at its lowest", { version: 1, history: 1, events: { keep: 1 } }],
  ["64 states", only(64)],
  [
    "64 states that all lead to all",
    {
      ...only(64),
      states: Object.fromEntries(
        Array.from({ length: 64 }, (_, n) => [`s${n}`, { to: Object.keys(only(64).states) }]),
      ),
    },
  ],
  [
    "a state named removed with an event of its own",
    { initial: "removed", states: { removed: { event: "gone" } } },
  ],
  ["no history and no events", { history: undefined, events: undefined }],
  [
    "states named like parts of an object",
    { initial: "constructor", states: { constructor: {}, toString: {} } },
  ],
])("accepts %s", async (_, part) => {
  const calls = new Calls(await admin(), "parcel");
  expect((await calls.apply(change(part)))[0]).toBe("OK");
  expect((await calls.ok("create", "p1")).version).toBe(1);
});

it.each([
  ["16 changes if the definition does not say", undefined, 32],
  ["32 changes if the definition says fewer", 4, 32],
  ["as many as the definition says above 32", 40, 40],
])("keeps %s in a log, and up to seven more", async (_, history, kept) => {
  const calls = new Calls(await admin(), "parcel");
  await calls.apply(change({ history }));
  await calls.ok("create", "p1");
  for (let n = 0; n < kept + 6; n++) await calls.ok("patch", "p1", "SET", "n", "1");
  expect(await calls.changes("p1")).toHaveLength(kept + 7);
  await calls.ok("patch", "p1", "SET", "n", "1"); // trims eight changes
  const versions = (await calls.changes("p1")).map(({ version }) => version);
  expect(versions).toEqual(Array.from({ length: kept }, (_, at) => at + 9));
});

it("stores what a timer sets in one line", async () => {
  const calls = new Calls(await admin(), "parcel");
  await calls.apply(
    state("held", { timeout: { after: 1, to: "sent", set: { n: '{\n\t"a":\r\n [ 1 ] }' } } }),
  );
  expect(await calls.valkey.hget(calls.key("machine"), "@held timeout")).toBe(
    JSON.stringify(["n", '{"a": [ 1 ] }']),
  );
});

/** Returns the keys of apply for another hash tag. */
const keysFor = (tag: string) => [`{${tag}}:parcel:machine`, `{${tag}}:parcel:index`, `{${tag}}:machines`];

it.each([
  ["a namespace of 33 characters", `${"n".repeat(33)}:0`],
  ["a namespace that begins with a digit", "1n:0"],
  ["partition 00", "n:00"],
  ["partition 01", "n:01"],
  ["partition 100000", "n:100000"],
  ["no partition", "n"],
])("rejects keys with %s, and the scripts of entities find no machine there", async (_, tag) => {
  const calls = new Calls(await admin(), "parcel");
  expect(await calls.error("apply", keysFor(tag), [text])).toBe("BADARG keys");
  const keys = ["id:p1", "log:p1", "machine", "index", "due", "events"].map(
    (rest) => `{${tag}}:parcel:${rest}`,
  );
  expect(await calls.error("create", keys, ["p1"])).toBe("NOMACHINE apply it first");
  expect(await calls.valkey.exists(...keysFor(tag), ...keys)).toBe(0);
});

it("accepts a namespace of 32 characters, and partition 65535", async () => {
  const valkey = await admin();
  const tag = `${`n${randomBytes(16).toString("hex")}`.slice(0, 32)}:65535`;
  expect((await evalsha(valkey, "apply", keysFor(tag), [text]))[0]).toBe("OK");
});
