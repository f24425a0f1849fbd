import { describe, expect, it } from "vitest";
import { compileMachine, defineMachine } from "../../src/index.js";
import { admin, Calls, connection } from "../helpers/calls.js";
import { client, rejection } from "../helpers/client.js";
import { TicketFixture, ticket, ticketFixture } from "../helpers/fsck.js";

const meta = ({ latchkey }: TicketFixture): string => `{${latchkey.namespace}}:meta`;

describe("in the machine, fsck finds", () => {
  it.each<[string, (fixture: TicketFixture) => Promise<unknown>, string[]]>([
    [
      "a partition without the machine",
      async (fixture) => (await admin()).del(fixture.key("", "machine", 2)),
      ["machine-missing 2"],
    ],
    [
      "a key of another type",
      async (fixture) =>
        (await admin())
          .pipeline()
          .del(fixture.key("", "machine", 1))
          .set(fixture.key("", "machine", 1), "x")
          .exec(),
      ["machine-missing 1"],
    ],
    [
      "a partition with another row",
      async (fixture) => (await admin()).hset(fixture.key("", "machine", 3), "=open", "x"),
      ["machine-differs 3"],
    ],
    [
      "a missing row",
      async (fixture) => (await admin()).hdel(fixture.key("", "machine", 0), "held>shut"),
      ["machine-broken 0", "machine-differs 1", "machine-differs 2", "machine-differs 3"],
    ],
    [
      "a state that is missing from the list",
      async (fixture) => (await admin()).hset(fixture.key("", "machine", 0), "states", "open held leased"),
      ["machine-broken 0", "machine-differs 1", "machine-differs 2", "machine-differs 3"],
    ],
  ])("%s", async (_, damage, wanted) => {
    const fixture = await ticketFixture(4);
    await fixture.tickets.remove("a4");
    await damage(fixture);
    const { findings } = await fixture.fsck({ repair: true });
    const machine = findings.filter(({ kind }) => kind.startsWith("machine"));
    expect(machine.map(({ kind, partition }) => `${kind} ${partition}`)).toEqual(wanted);
    for (const { result, why } of machine) expect([result, why]).toEqual(["manual", expect.any(String)]);
  });

  it.each([
    ["a row of an impossible transition", "shut>open", "2 0 x"],
    ["a row that differs from what apply wrote", "open>held", "2 3 -8"],
    ["another initial state", ">", "held 2 0"],
    ["other timers", "@open", "2 3600001   shut "],
    ["timers of a state without timers", "@held", "2 3600000   shut "],
    ["fields for a timer that sets none", "@open timeout", '["n","1"]'],
    ["an invalid definition", "definition", "{}"],
    ["a definition of another version", "version", "2"],
    ["another layout", "layout", "7"],
  ])("%s, even with one partition", async (_, field, text) => {
    const fixture = await ticketFixture();
    await (await admin()).hset(fixture.key("", "machine"), field, text);
    const { findings } = await fixture.fsck();
    expect(findings.map(({ kind, result }) => [kind, result])).toEqual([["machine-broken", "manual"]]);
  });

  it.each(["[]", "{", '["error","\\"late\\""]', '["error","\\"slow\\"","n","1"]'])(
    "fields of a timer that differ from the definition: %s",
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
      const fixture = new TicketFixture(home, await home.machine(definition), 1);
      expect(await fixture.results()).toEqual([]);
      await (await admin()).hset(fixture.key("", "machine"), "@open timeout", text);
      expect(await fixture.results()).toEqual(["machine-broken  manual"]);
    },
  );

  it("no damage while a newer version keeps a removed state for its remaining entities", async () => {
    const fixture = await ticketFixture();
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
    const calls = new Calls(await admin(), "ticket", fixture.latchkey.namespace);
    const [outcome] = await calls.apply(compileMachine(newer).json, "MAP", "held", "shut");
    expect(outcome).toBe("OK");
    expect((await fixture.fsck({ strict: true })).findings).toEqual([]);
  });

  it("that no machine is installed", async () => {
    const latchkey = await client();
    const nobody = new TicketFixture(latchkey, (await ticketFixture()).tickets, 1);
    const error = await rejection(nobody.fsck());
    expect(error).toMatchObject({ code: "NOMACHINE" });
    expect(error.message).toContain(`no machine "ticket" is installed in namespace "${latchkey.namespace}"`);
  });
});

describe("in the namespace, fsck finds", () => {
  it.each<[string, (fixture: TicketFixture) => Promise<unknown>, string]>([
    ["missing metadata", async (fixture) => (await admin()).del(meta(fixture)), "meta-missing"],
    [
      "a missing number of partitions",
      async (fixture) => (await admin()).hdel(meta(fixture), "partitions"),
      "meta-missing",
    ],
    ["a missing layout", async (fixture) => (await admin()).hdel(meta(fixture), "layout"), "meta-missing"],
    [
      "too few partitions",
      async (fixture) => (await admin()).hset(meta(fixture), "partitions", 2),
      "meta-wrong",
    ],
    [
      "a malformed number of partitions",
      async (fixture) => (await admin()).hset(meta(fixture), "partitions", "4x"),
      "meta-wrong",
    ],
    [
      "a list of machines without this one",
      async (fixture) => (await admin()).hdel(`{${fixture.latchkey.namespace}:0}:machines`, "ticket"),
      "machine-unlisted",
    ],
  ])("%s, and continues with the existing partitions", async (_, damage, wanted) => {
    const fixture = await ticketFixture(4);
    await damage(fixture);
    const { findings, checked } = await fixture.fsck();
    expect(new Set(findings.map(({ kind }) => kind))).toEqual(
      new Set(wanted === "meta-missing" && findings.length > 1 ? [wanted, "machine-unlisted"] : [wanted]),
    );
    expect(findings[0]?.why).toMatch(/partitions 4$|apply the definition again/);
    expect(checked).toEqual({ partitions: 4, skipped: 0, entities: 4, events: 9 });
  });

  it("another layout, and then checks nothing", async () => {
    const fixture = await ticketFixture();
    await (await admin()).hset(meta(fixture), "layout", 1);
    expect(await rejection(fixture.fsck())).toMatchObject({ code: "LAYOUT" });
  });

  it("an entity in a partition that its id does not belong to", async () => {
    const fixture = await ticketFixture(4);
    const valkey = await admin();
    const from = fixture.key("a2", "id:a2");
    const wrong = [0, 1, 2, 3].find((one) => fixture.key("a2", "id:a2", one) !== from) ?? 0;
    await valkey.hset(fixture.key("a2", "id:a2", wrong), await valkey.hgetall(from));
    const { findings } = await fixture.fsck({ deep: true });
    expect(findings.map(({ kind, partition }) => [kind, partition])).toContainEqual(["misplaced", wrong]);
  });
});

it("a user without permission to repair gets an error, and nothing is repaired", async () => {
  const fixture = await ticketFixture();
  const valkey = await admin();
  const name = `reader-${fixture.latchkey.namespace}`;
  await valkey.call("ACL", "SETUSER", name, "on", ">secret", "~*", "+@all", "-zrem");
  await valkey.zadd(fixture.key("gone", "index"), 5, "gone");
  const restricted = await connection({ username: name, password: "secret" });
  const error = await rejection(fixture.fsck({ repair: true }, restricted));
  expect(error.message).toContain("lacks the permission +zrem, or access to its key or channel");
  expect(await fixture.results()).toEqual(["index-orphan gone repairable"]);
});
