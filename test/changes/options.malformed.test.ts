import { describe, expect, it } from "vitest";
import {
  agent,
  ContractError,
  type Entities,
  type JsonValue,
  type TransitionOptions,
} from "../../src/index.js";
import type { AgentState } from "../../src/machine/agent.js";
import { admin } from "../helpers/calls.js";
import { client, rejectionOf } from "../helpers/client.js";
import { keyspace } from "../helpers/keyspace.js";

type Ours = Entities<AgentState>;
const circular: Record<string, unknown> = {};
circular.self = circular;
const any = (value: unknown) => value as never;
const move = (options: TransitionOptions<AgentState>) => (ours: Ours) =>
  ours.transition("a1", "running", options);
const set = (field: string, value: unknown) => move({ set: { [field]: value as JsonValue } });
const idWords = "letters, digits or characters of _ . ~ : / @ + = -";

/** Calls that must not be sent, with a part of their error. */
const malformed: Record<string, [call: (ours: Ours) => Promise<unknown>, text: string]> = {
  "an empty id": [(ours) => ours.create(""), `id "" must be 1 to 128 ${idWords}`],
  "an id with a blank": [(ours) => ours.get("a 1"), `id "a 1" must be 1 to 128 ${idWords}`],
  "an id with braces": [(ours) => ours.remove("{a}"), `id "{a}" must be 1 to 128 ${idWords}`],
  "an id with a newline": [(ours) => ours.history("a\n"), `id "a\\n" must be 1 to 128 ${idWords}`],
  "an id too long": [(ours) => ours.create("x".repeat(129)), `must be 1 to 128 ${idWords}`],
  "an id that is not text": [(ours) => ours.create(any(7)), `id 7 must be 1 to 128 ${idWords}`],
  "no id": [(ours) => ours.create(any(undefined)), `id undefined must be 1 to 128 ${idWords}`],
  "`seen` without `op`": [
    move({ seen: "0-0" }),
    "seen requires op: it is a position before the first attempt",
  ],
  "a misspelt option": [move(any({ ifversion: 3 })), 'unknown option "ifversion"; did you mean "ifVersion"?'],
  "an op too long": [move({ op: "x".repeat(65) }), `must be 1 to 64 ${idWords}`],
  "an op with a comma": [move({ op: "a,b" }), `op "a,b" must be 1 to 64 ${idWords}`],
  "a state with an invalid name": [
    (ours) => ours.transition("a1", any("Running")),
    'invalid state name "Running": a lower-case letter, then up to 31 letters, digits, _ or -',
  ],
  "ifState with an invalid name": [move({ ifState: any("") }), 'invalid state name "": a lower-case letter'],
  "ifVersion below 0": [
    move({ ifVersion: -1 }),
    "ifVersion must be a whole number from 0 to 999999999999999, not -1",
  ],
  "ifVersion with a fraction": [move({ ifVersion: 1.5 }), "ifVersion must be a whole number"],
  "ifVersion as text": [move({ ifVersion: any("1") }), "ifVersion must be a whole number"],
  "notAfter that is not a number": [move({ notAfter: Number.NaN }), "notAfter must be a whole number"],
  "notAfter that is too large": [move({ notAfter: 1e15 }), "notAfter must be a whole number"],
  "seen that is a time": [
    move({ op: "o", seen: any(1) }),
    'seen must be a position such as "1795343224201-0", not 1',
  ],
  "a restored version 0": [
    (ours) => ours.restore("a1", "running", { version: 0 }),
    "version must be a whole number from 1 to 9999999999999, not 0",
  ],
  "a restored time that is a number": [
    (ours) => ours.restore("a1", "running", { version: 1, since: any(1) }),
    'since must be a time such as "2026-01-31T08:30:00.000Z", not 1',
  ],
  "a restored entity that is older than its creation": [
    (ours) => {
      const [since, createdAt] = ["2026-01-01T00:00:00.000Z", "2026-01-02T00:00:00.000Z"];
      return ours.restore("a1", "running", { version: 1, since, createdAt });
    },
    "createdAt is later than since",
  ],
  "an actor that is not text": [move({ actor: any(7) }), "actor must be text, not a number"],
  "a reason that is not text": [move({ reason: any(null) }), "reason must be text, not null"],
  "force without a reason": [
    move({ force: true }),
    "force requires a reason, which is stored in the history",
  ],
  "force with a reason of which nothing can be stored": [
    move({ force: true, reason: "\u0000" }),
    "force requires a reason, which is stored in the history",
  ],
  "a field with an invalid name": [
    set("exit-code", 1),
    'invalid field name "exit-code": a letter or _, then up to 63',
  ],
  "a field with the name of a document's field": [
    set("state", 1),
    '"state" cannot be a field name: every document uses that name',
  ],
  "a field with the name of a property of documents": [set("dueAt", 1), '"dueAt" cannot be a field name'],
  "a patch of undefined values alone": [
    (ours) => ours.patch("a1", { set: { x: undefined } }),
    "patch changes nothing: give fields in `set` or names in `unset`",
  ],
  "a value that is not a number": [set("x", Number.NaN), "set.x: NaN is not a JSON number"],
  "a value that is a function": [set("x", () => 1), "set.x: a function is not a JSON value"],
  "a value that is a bigint": [set("x", 1n), "set.x: a bigint is not a JSON value"],
  "a function deep in a value": [set("x", { at: [() => 1] }), "set.x.at.0: a function is not a JSON value"],
  "a function among fields": [
    (ours) => ours.create("a2", { at: { by: () => 1 } }),
    "fields.at.by: a function is not a JSON value",
  ],
  "a symbol deep in a value": [set("x", { y: Symbol("z") }), "set.x.y: a symbol is not a JSON value"],
  "an infinite number deep in a value": [
    set("x", [1, { y: -Infinity }]),
    "set.x.1.y: -Infinity is not a JSON number",
  ],
  "a map": [
    set("x", { y: new Map([[1, 2]]) }),
    "set.x.y: a Map has no JSON form; convert it, for example to a list",
  ],
  "a map as fields": [(ours) => ours.create("a2", new Map([["x", 1]])), "fields: a Map has no JSON form"],
  "a set": [set("x", new Set([1])), "set.x: a Set has no JSON form"],
  "a promise": [set("x", Promise.resolve(1)), "set.x: a Promise has no JSON form"],
  "an error": [set("x", new Error("e")), "set.x: an Error has no JSON form; store errorText(error)"],
  "a date as fields": [(ours) => ours.create("a2", new Date(0)), "fields must be an object, not text"],
  "a date that is invalid as fields": [
    (ours) => ours.create("a2", new Date(Number.NaN)),
    "fields must be an object, not null",
  ],
  "a getter that throws": [
    set("x", {
      get y() {
        throw new Error("hands off");
      },
    }),
    "set.x.y cannot be read: hands off",
  ],
  "a toJSON that throws": [
    set("x", {
      y: {
        toJSON: () => {
          throw new Error("hands off");
        },
      },
    }),
    "set.x.y cannot be read: hands off",
  ],
  "a value that contains itself": [set("x", circular), "is nested too deeply or circular"],
  "half a character in a value": [set("x", ["\udc00"]), "set.x.0: contains half of a surrogate pair"],
  "a value too long": [set("x", "x".repeat(65_535)), "set.x is longer than 65536 bytes of JSON"],
  "a field to remove with an invalid name": [move({ unset: ["a b"] }), 'invalid field name "a b"'],
  "a field both set and removed": [
    move({ set: { x: 1 }, unset: ["x"] }),
    '"x" is in both set and unset; choose one',
  ],
  "a patch that changes nothing": [
    (ours) => ours.patch("a1", {}),
    "patch changes nothing: give fields in `set` or names in `unset`",
  ],
  "a history of length 0": [(ours) => ours.history("a1", 0), "limit must be a whole number from 1"],
};

describe("rejects, without sending anything,", () => {
  for (const [name, [call, text]] of Object.entries(malformed)) {
    it(name, async () => {
      const home = await client();
      const ours = await home.machine(agent());
      await ours.create("a1");
      const before = await calls();
      const error = await rejectionOf(ContractError, call(ours));
      expect(error.code).toBe("BADARG");
      expect(error.message).toContain(text);
      expect(await calls()).toBe(before);
    });
  }

  /** Counts the scripts and reads that the server has run. */
  async function calls(): Promise<string> {
    const stats = String(await (await admin()).info("commandstats")).split("\r\n");
    const counted = stats.filter((line) => /^cmdstat_(evalsha|hgetall|lrange)\b/.test(line));
    return counted.map((line) => line.replace(/,.*/, "")).join();
  }
});

describe("the server rejects, with a suggested fix,", () => {
  it("more than 64 own fields, or more than 256 KiB of them", async () => {
    const home = await client();
    const ours = await home.machine(agent());
    const fields = Object.fromEntries(Array.from({ length: 64 }, (_, n) => [`f${n}`, n]));
    await ours.create("a1", fields);
    await ours.create("a2", {
      f0: "x".repeat(65_000),
      f1: "x".repeat(65_000),
      f2: "x".repeat(65_000),
      f3: "x".repeat(65_000),
    });
    const before = await keyspace(await admin(), home.namespace);
    for (const [id, value] of [
      ["a1", 1],
      ["a2", "x".repeat(5_000)],
    ] as const) {
      const error = await rejectionOf(ContractError, ours.patch(id, { set: { more: value } }));
      expect(error.code).toBe("BADARG");
      expect(error.message).toBe(
        `patch agent ${id}: the entity would exceed 64 own fields or 256 KiB; unset some`,
      );
    }
    expect(await keyspace(await admin(), home.namespace)).toEqual(before);
    expect(await ours.patch("a1", { set: { more: 1 }, unset: ["f0"] })).toMatchObject({ version: 2 });
  });

  it("a stamp that a caller sets or removes", async () => {
    const ours = await (await client()).machine(agent());
    await ours.create("a1");
    await ours.transition("a1", "running");
    for (const options of [{ set: { startedAt: "2020" } }, { unset: ["startedAt"] }]) {
      const error = await rejectionOf(ContractError, ours.patch("a1", options));
      expect(error.message).toBe(
        "patch agent a1: stamps are managed by the machine and cannot be set or unset; omit the field",
      );
    }
    expect((await ours.get("a1"))?.version).toBe(2);
  });

  it("a change of a machine that is not installed", async () => {
    const home = await client({ reinstall: false });
    const ours = await home.machine(agent());
    await (await admin()).del(`{${home.namespace}:0}:agent:machine`);
    const error = await rejectionOf(ContractError, ours.create("a1"));
    expect(error.code).toBe("NOMACHINE");
    expect(error.message).toBe(
      "create agent a1: the machine is not installed in this namespace; apply it first",
    );
  });
});
