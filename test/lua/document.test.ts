import { expect, it } from "vitest";
import { evalsha, machine, op } from "../helpers/calls.js";
import { parcel } from "../helpers/parcel.js";
import { record } from "../helpers/recorder.js";

/** JSON texts that a decoder and encoder would change. */
const delicate = {
  huge: "1.7976931348623157e308",
  tiny: "-1E-400",
  float: "1.0",
  minusZero: "-0.0",
  exact: "12345678901234567890",
  digits: "0.1000000000000000055511151231257827",
  list: "[]",
  object: "{}",
  spaced: ' { "b" : [ ] , "a": {} } ',
  twice: '{"a":1,"a":2}',
  escapes: '"\\u00e9\\/\\u000a\\"\\ud83d\\ude00"',
  letters: '"é ✓ \u{1F600} \u2028 \u007f"',
  nothing: "null",
};

it("gives own fields back byte for byte, in every document and snapshot", async () => {
  const calls = await machine({ ...parcel, history: 100 });
  const options = Object.entries(delicate).flatMap(([field, json]) => ["SET", field, json]);
  const tail = Object.entries(delicate)
    .map(([field, json]) => `,"${field}":${json}`)
    .join("");
  const steps = [
    await calls.run("create", "p1", ...options),
    await calls.run("create", "p1"),
    await calls.run("patch", "p1", "SET", "huge", delicate.huge),
    await calls.run("transition", "p1", "nowhere"),
    await calls.run("remove", "p1"),
  ];
  expect(steps.map(([outcome]) => outcome)).toEqual(["OK", "EXISTS", "OK", "ILLEGAL", "OK"]);
  for (const [, document] of steps.slice(0, -1)) {
    expect(document?.endsWith(`${tail}}`)).toBe(true);
    expect(JSON.parse(String(document)).object).toEqual({});
  }
  expect(steps.at(-1)?.[1]).not.toContain("huge");
});

it("keeps own fields byte for byte in the hash", async () => {
  const calls = await machine(parcel);
  await calls.ok(
    "create",
    "p1",
    ...Object.entries(delicate).flatMap(([field, json]) => ["SET", field, json]),
  );
  expect(await calls.hash("p1")).toMatchObject(delicate);
});

it("gives one and the same text as reply, stream entry and published message", async () => {
  const calls = await machine({ ...parcel, history: 100 });
  const recorder = await record(calls.valkey, calls.channel);
  const replies: (string | null)[] = [];
  const step = async (...[operation, ...args]: Parameters<typeof calls.run>) => {
    const [outcome, document] = await calls.run(operation, ...args);
    expect(outcome).toBe("OK");
    replies.push(document);
  };
  await step("create", "p1", "SET", "n", "1.0", ...op("o1"));
  await step("patch", "p1", "SET", "text", '"é"', "ACTOR", "ann");
  await step("transition", "p1", "sent", "REASON", "why not");
  await step("transition", "p1", "packed", "UNSET", "n");
  await step("transition", "p1", "delivered", "FORCE", "REASON", "seen", "SET", "signature", "{}");
  await step("remove", "p1", ...op("o2"));
  expect(await calls.events()).toEqual(replies);
  expect(await recorder.published()).toEqual(replies);
  expect(replies.map((document) => JSON.parse(String(document)).version)).toEqual([1, 2, 3, 4, 5, 6]);
});

it("publishes and logs nothing for a rejection or a replay", async () => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", ...op("o1"));
  const recorder = await record(calls.valkey, calls.channel);
  const outcomes = [
    await calls.run("create", "p1"),
    await calls.run("create", "p1", ...op("o1")),
    await calls.run("transition", "p1", "delivered"),
    await calls.run("transition", "p1", "lost"),
    await calls.run("patch", "p1", "SET", "n", "1", "IFVERSION", "9"),
    await calls.run("remove", "p1", "NOTAFTER", "1"),
    await calls.run("remove", "p2"),
  ].map(([outcome]) => outcome);
  expect(outcomes).toEqual(["EXISTS", "REPLAYED", "ILLEGAL", "MISSING", "CONFLICT", "EXPIRED", "NOTFOUND"]);
  expect(await recorder.published()).toEqual([]);
  expect(await calls.events()).toHaveLength(1);
  expect(await calls.changes("p1")).toHaveLength(1);
});

it("puts the changes of every partition of a machine on one channel", async () => {
  const calls = await machine(parcel);
  const recorder = await record(calls.valkey, calls.channel);
  const elsewhere = (key: string) => key.replace(":0}", ":3}");
  const places = calls.applyKeys().map(elsewhere);
  await evalsha(calls.valkey, "apply", places, [JSON.stringify(parcel)]);
  const [outcome, document] = await evalsha(calls.valkey, "create", calls.keys("p1").map(elsewhere), ["p1"]);
  expect(outcome).toBe("OK");
  expect(await recorder.published()).toEqual([document]);
});

it("escapes what an actor or a reason may hold of quotes and backslashes", async () => {
  const calls = await machine(parcel);
  const text = 'a\\"b\\\\ "" é \u{1F600} \\u0041 \\n %0 %1';
  const document = await calls.ok("create", "p1", "ACTOR", text, "REASON", text);
  expect(document).toMatchObject({ actor: text, reason: text });
});

it("gives a document of 64 fields of 4 kB back unchanged, in every form", async () => {
  const calls = await machine(parcel);
  const fields = Object.fromEntries(
    Array.from({ length: 64 }, (_, n) => [`field${n}`, `${n}`.padEnd(3900, "x")]),
  );
  const options = Object.entries(fields).flatMap(([field, text]) => ["SET", field, JSON.stringify(text)]);
  const created = await calls.ok("create", "p1", ...options);
  expect(created).toMatchObject(fields);
  const edits = ["UNSET", "field63", "SET", "field8", "8", "SET", "more", "64"];
  const sent = await calls.ok("transition", "p1", "sent", ...edits);
  const kept: Record<string, unknown> = { ...fields, field8: 8, more: 64, sentAt: sent.timestamp };
  delete kept.field63;
  const own = (document: object) =>
    Object.fromEntries(Object.entries(document).filter(([name]) => /^(field|more|sentAt)/.test(name)));
  expect(own(sent)).toEqual(kept);
  const [, snapshot] = await calls.run("get", "p1");
  expect(own(JSON.parse(String(snapshot)))).toEqual(kept);
  expect(own(JSON.parse(String((await calls.events()).at(-1))))).toEqual(kept);
});

it("writes each document in one line, whatever line ends a value has between its tokens", async () => {
  const calls = await machine(parcel);
  const value = '\t{\r\n "a\\n" :\n[1,\n\t2 ] }\n';
  const [, document] = await calls.run("create", "p1", "SET", "value", value);
  expect(document).not.toMatch(/[\t\r\n]/);
  expect((await calls.hash("p1")).value).toBe('{ "a\\n" :[1,2 ] }');
  expect(JSON.parse(String(document)).value).toEqual(JSON.parse(value));
});
