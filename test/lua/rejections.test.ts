import { beforeAll, describe, expect, it } from "vitest";
import type { Operation } from "../../src/lua/index.js";
import { type Argument, type Calls, evalsha, machine, op } from "../helpers/calls.js";
import { everyCall, everyOperation, keysOf, standing } from "../helpers/every-call.js";
import { unchanged } from "../helpers/keyspace.js";
import { parcel } from "../helpers/parcel.js";
import { record } from "../helpers/recorder.js";

const PLACES = ["entity", "log", "machine", "index", "due", "events"];

/** The keys that an operation uses, if it does not use all. */
const USED: Partial<Record<Operation, readonly string[]>> = {
  apply: ["machine", "index", "machines"],
  heartbeat: ["entity", "machine", "due"],
  get: ["entity", "due"],
};

/** Runs a call that must be rejected or fail, and checks that it wrote and published nothing. */
async function leavesAll<Answer>(location: Calls, call: () => Promise<Answer>): Promise<Answer> {
  const recorder = await record(location.valkey, location.channel);
  const answer = await unchanged(location, call);
  expect(await recorder.published()).toEqual([]);
  return answer;
}

const everywhere = everyOperation.flatMap((operation) =>
  (operation === "apply" ? (USED.apply ?? []) : PLACES).flatMap((key, at) =>
    (USED[operation] ?? PLACES).includes(key) ? [[operation, key, at] as const] : [],
  ),
);

describe.each(["string", "set"])("a key that is a %s", (type) => {
  it.each(everywhere)("stops %s at its %s before anything is written", async (operation, _, at) => {
    const location = await standing();
    const keys = keysOf(location, operation);
    const key = String(keys[at]);
    await location.valkey.del(key);
    await (type === "string" ? location.valkey.set(key, "planted") : location.valkey.sadd(key, "planted"));
    const message = await leavesAll(location, () => location.error(operation, keys, everyCall[operation]));
    expect(message).toMatch(/^WRONGTYPE /);
    expect(message).not.toContain("planted");
  });
});

it.each(everyOperation)("%s is applied if nothing prevents it", async (operation) => {
  const location = await standing();
  const [outcome] = await evalsha(
    location.valkey,
    operation,
    keysOf(location, operation),
    everyCall[operation],
  );
  expect(outcome).toBe("OK");
});

describe("a rejection writes nothing", () => {
  let location: Calls;
  beforeAll(async () => {
    location = await standing();
    await location.ok("create", "form");
    await location.ok("create", "gone");
    await location.ok("remove", "gone");
    for (let n = 0; n < 40; n++) {
      await location.ok("patch", "form", "SET", "n", "1", ...op(`f${n}`, await location.end()));
    }
  });

  const rejections: [string, Operation, ...Argument[]][] = [
    ["EXISTS", "create", "p1", "SET", "n", "9", ...op("o9")],
    ["EXPIRED", "create", "p1", "NOTAFTER", "1"],
    ["EXPIRED", "create", "new", "NOTAFTER", "1"],
    ["FORGOTTEN", "create", "gone", ...op("o9", "1-0")],
    ["FORGOTTEN", "create", "form", ...op("o9", "1-0")],
    ["ILLEGAL", "transition", "form", "delivered", "SET", "n", "9"],
    ["ILLEGAL", "transition", "form", "elsewhere", "FORCE", "REASON", "r"],
    ["CONFLICT", "transition", "p1", "packed", "IFVERSION", "1", "SET", "n", "9"],
    ["CONFLICT", "transition", "p1", "packed", "IFSTATE", "packed"],
    ["MISSING", "transition", "p1", "delivered", "SET", "n", "9", "UNSET", "m"],
    ["FORGOTTEN", "transition", "form", "sent", ...op("o9", "1-0")],
    ["EXPIRED", "transition", "p1", "packed", "NOTAFTER", "1"],
    ["EXPIRED", "transition", "new", "packed", "NOTAFTER", "1"],
    ["NOTFOUND", "transition", "new", "packed", "SET", "n", "9"],
    ["CONFLICT", "patch", "p1", "SET", "n", "9", "IFVERSION", "1"],
    ["FORGOTTEN", "patch", "form", "SET", "n", "9", ...op("o9", "1-0")],
    ["EXPIRED", "patch", "p1", "SET", "n", "9", "NOTAFTER", "1"],
    ["NOTFOUND", "patch", "new", "SET", "n", "9"],
    ["CONFLICT", "heartbeat", "leased", "IFVERSION", "1"],
    ["CONFLICT", "heartbeat", "p1", "IFSTATE", "held"],
    ["ILLEGAL", "heartbeat", "p1"],
    ["EXPIRED", "heartbeat", "leased", "NOTAFTER", "1"],
    ["EXPIRED", "heartbeat", "new", "NOTAFTER", "1"],
    ["NOTFOUND", "heartbeat", "new"],
    ["NOTDUE", "expire", "leased"],
    ["NOTDUE", "expire", "form"],
    ["NOTFOUND", "expire", "new"],
    ["CONFLICT", "remove", "p1", "IFSTATE", "packed"],
    ["FORGOTTEN", "remove", "form", ...op("o9", "1-0")],
    ["EXPIRED", "remove", "p1", "NOTAFTER", "1"],
    ["NOTFOUND", "remove", "new", ...op("o9")],
    ["FORGOTTEN", "remove", "gone", ...op("o9", "1-0")],
    ["FORGOTTEN", "transition", "gone", "sent", ...op("o9", "1-0")],
    ["FORGOTTEN", "patch", "gone", "SET", "n", "9", ...op("o9", "1-0")],
    ["EXISTS", "restore", "p1", "packed", "1", "0", "1000000000000", ...op("o9")],
    ["EXPIRED", "restore", "p1", "packed", "1", "0", "1000000000000", ...op("o9"), "NOTAFTER", "1"],
    ["FORGOTTEN", "restore", "form", "packed", "1", "0", "1000000000000", ...op("o9", "1-0")],
    ["FORGOTTEN", "restore", "gone", "packed", "1", "0", "1000000000000", ...op("o9", "1-0")],
    ["MISSING", "restore", "new", "delivered", "1", "0", "1000000000000", ...op("o9")],
    ["NOTFOUND", "get", "new"],
  ];
  it.each(rejections)("%s of %s %s %s %s", async (expected, operation, id, ...args) => {
    const [outcome] = await leavesAll(location, () => location.run(operation, String(id), ...args));
    expect(outcome).toBe(expected);
  });

  it("MISSING of create and patch", async () => {
    const states = { open: { require: ["who"] } };
    const forms = await machine({ name: "form", version: 1, initial: "open", states });
    const reply = await leavesAll(forms, () => forms.run("create", "f1", "SET", "n", "1"));
    expect(reply).toEqual(["MISSING", null, null]);
    await forms.ok("create", "f1", "SET", "who", "1");
    expect((await leavesAll(forms, () => forms.run("patch", "f1", "UNSET", "who")))[0]).toBe("MISSING");
  });

  it.each([
    ["LOWER", { ...parcel, version: 1 }],
    ["DIFFERENT", { ...parcel, version: 2, history: 9 }],
    ["STATES", { ...parcel, version: 3, initial: "lost", states: { lost: {} } }],
  ])("INUSE of apply: %s", async (problem, definition) => {
    const installed = await machine({ ...parcel, version: 2 });
    await installed.ok("create", "p1");
    const [outcome, document] = await leavesAll(installed, () => installed.apply(definition));
    expect([outcome, JSON.parse(String(document)).problem]).toEqual(["INUSE", problem]);
  });
});

const logging = everyOperation.filter((operation) => !["apply", "heartbeat", "get"].includes(operation));

it.each(logging)("%s writes nothing when the stream has no id left to give", async (operation) => {
  const location = await standing();
  await location.valkey.xadd(
    location.key("events"),
    "18446744073709551615-18446744073709551615",
    "doc",
    "{}",
  );
  const message = await leavesAll(location, () =>
    location.error(operation, keysOf(location, operation), everyCall[operation]),
  );
  expect(message).toMatch(/^ERR .*(exhausted|Invalid stream ID)/);
});
