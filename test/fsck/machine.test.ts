import { describe, expect, it } from "vitest";
import { compileMachine, defineMachine } from "../../src/index.js";
import { Calls, connection } from "../helpers/calls.js";
import { client, rejection } from "../helpers/client.js";
import { DoctorContext, hands, patient, ticket } from "../helpers/fsck.js";

const meta = ({ latchkey }: DoctorContext): string => `{${latchkey.namespace}}:meta`;

describe("of the machine, fsck finds", () => {
  it.each<[string, (patient: DoctorContext) => Promise<unknown>, string[]]>([
    [
      "a partition without it",
      async (it) => (await hands()).del(it.key("", "machine", 2)),
      ["machine-missing 2"],
    ],
    [
      "another type of key in its place",
      async (it) =>
        (await hands())
          .pipeline()
          .del(it.key("", "machine", 1))
          .set(it.key("", "machine", 1), "x")
          .exec(),
      ["machine-missing 1"],
    ],
    [
      "a partition with another row",
      async (it) => (await hands()).hset(it.key("", "machine", 3), "=open", "x"),
      ["machine-differs 3"],
    ],
    [
      "a row that is missing",
      async (it) => (await hands()).hdel(it.key("", "machine", 0), "held>shut"),
      ["machine-broken 0", "machine-differs 1", "machine-differs 2", "machine-differs 3"],
    ],
    [
      "a state that is gone from the list",
      async (it) => (await hands()).hset(it.key("", "machine", 0), "states", "open held leased"),
      ["machine-broken 0", "machine-differs 1", "machine-differs 2", "machine-differs 3"],
    ],
  ])("%s", async (_, damage, wanted) => {
    const it = await patient(4);
    await it.tickets.remove("a4");
    await damage(it);
    const { findings } = await it.fsck({ repair: true });
    const machine = findings.filter(({ kind }) => kind.startsWith("machine"));
    expect(machine.map(({ kind, partition }) => `${kind} ${partition}`)).toEqual(wanted);
    for (const { result, why } of machine) expect([result, why]).toEqual(["left", expect.any(String)]);
  });

  it.each([
    ["a row that leads where no transition does", "shut>open", "2 0 x"],
    ["a row that is not what apply wrote", "open>held", "2 3 -8"],
    ["a first state that is another", ">", "held 2 0"],
    ["timers that are others", "@open", "2 3600001   shut "],
    ["timers of a state that has none", "@held", "2 3600000   shut "],
    ["something set by a timer that sets nothing", "@open timeout", '["n","1"]'],
    ["a definition that is none", "definition", "{}"],
    ["a definition of another version", "version", "2"],
    ["a layout that is another", "layout", "7"],
  ])("%s, even with one partition", async (_, field, text) => {
    const it = await patient();
    await (await hands()).hset(it.key("", "machine"), field, text);
    const { findings } = await it.fsck();
    expect(findings.map(({ kind, result }) => [kind, result])).toEqual([["machine-broken", "left"]]);
  });

  it.each(["[]", "{", '["error","\\"late\\""]', '["error","\\"slow\\"","n","1"]'])(
    "fields that a timer sets otherwise than the definition says: %s",
    async (text) => {
      const slow = { error: "slow / \u007f é" };
      const home = await client();
      const definition = defineMachine({
        name: "ticket",
        version: 1,
        initial: "open",
        states: {
          open: { to: ["shut"], timeout: { after: "1h", to: "shut", set: slow } },
          shut: { require: ["error"] },
        },
      });
      const it = new DoctorContext(home, await home.machine(definition), 1);
      expect(await it.found()).toEqual([]);
      await (await hands()).hset(it.key("", "machine"), "@open timeout", text);
      expect(await it.found()).toEqual(["machine-broken  left"]);
    },
  );

  it("nothing while a newer version keeps a dropped state for those that still sit in it", async () => {
    const it = await patient();
    const newer = defineMachine({
      ...ticket,
      initial: "open",
      version: 2,
      states: {
        open: { to: ["leased", "shut"], timeout: { after: "1h", to: "shut" } },
        leased: {
          to: ["open", "shut"],
          lease: { for: "10m", to: "open" },
          timeout: { after: "1h", to: "shut" },
        },
        shut: { retain: "7d" },
      },
    });
    const calls = new Calls(await hands(), "ticket", it.latchkey.namespace);
    const [outcome] = await calls.apply(compileMachine(newer).json, "MAP", "held", "shut");
    expect(outcome).toBe("OK");
    expect((await it.fsck({ strict: true })).findings).toEqual([]);
  });

  it("that there is none", async () => {
    const latchkey = await client();
    const nobody = new DoctorContext(latchkey, (await patient()).tickets, 1);
    const error = await rejection(nobody.fsck());
    expect(error).toMatchObject({ code: "NOMACHINE" });
    expect(error.message).toContain(`no machine "ticket" is installed in namespace "${latchkey.namespace}"`);
  });
});

describe("of the namespace, fsck finds", () => {
  it.each<[string, (patient: DoctorContext) => Promise<unknown>, string]>([
    ["that its facts are gone", async (it) => (await hands()).del(meta(it)), "meta-missing"],
    ["no number of partitions", async (it) => (await hands()).hdel(meta(it), "partitions"), "meta-missing"],
    ["no layout", async (it) => (await hands()).hdel(meta(it), "layout"), "meta-missing"],
    ["too few partitions", async (it) => (await hands()).hset(meta(it), "partitions", 2), "meta-wrong"],
    [
      "no number in the number's location",
      async (it) => (await hands()).hset(meta(it), "partitions", "4x"),
      "meta-wrong",
    ],
    ["no note of the machine", async (it) => (await hands()).hdel(meta(it), "machine:ticket"), "meta-note"],
  ])("%s, and goes on with the partitions that are there", async (_, damage, wanted) => {
    const it = await patient(4);
    await damage(it);
    const { findings, checked } = await it.fsck();
    expect(new Set(findings.map(({ kind }) => kind))).toEqual(
      new Set(wanted === "meta-missing" && findings.length > 1 ? [wanted, "meta-note"] : [wanted]),
    );
    expect(findings[0]?.why).toMatch(/partitions 4$|apply the definition again/);
    expect(checked).toEqual({ partitions: 4, entities: 4, events: 9 });
  });

  it("nothing of another layout's: it refuses to look", async () => {
    const it = await patient();
    await (await hands()).hset(meta(it), "layout", 2);
    expect(await rejection(it.fsck())).toMatchObject({ code: "LAYOUT" });
  });

  it("an entity in a partition that its id does not lead to", async () => {
    const it = await patient(4);
    const valkey = await hands();
    const from = it.key("a2", "id:a2");
    const wrong = [0, 1, 2, 3].find((one) => it.key("a2", "id:a2", one) !== from) ?? 0;
    await valkey.hset(it.key("a2", "id:a2", wrong), await valkey.hgetall(from));
    const { findings } = await it.fsck({ deep: true });
    expect(findings.map(({ kind, partition }) => [kind, partition])).toContainEqual(["misplaced", wrong]);
  });
});

it("a user without the right to mend is told so, and nothing is mended", async () => {
  const it = await patient();
  const valkey = await hands();
  const name = `reader-${it.latchkey.namespace}`;
  await valkey.call("ACL", "SETUSER", name, "on", ">secret", "~*", "+@all", "-zrem");
  await valkey.zadd(it.key("gone", "index"), 5, "gone");
  const restricted = await connection({ username: name, password: "secret" });
  const error = await rejection(it.fsck({ repair: true }, restricted));
  expect(error.message).toContain("this user lacks a permission that latchkey needs (NOPERM zrem");
  expect(await it.found()).toEqual(["index-orphan gone mendable"]);
});
