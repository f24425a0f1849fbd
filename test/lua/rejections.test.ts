import { beforeAll, describe, expect, it } from "vitest";
import type { Operation } from "../../src/lua/index.js";
import { type Argument, admin, type Calls, evalsha, machine } from "../helpers/calls.js";
import { keyspace } from "../helpers/keyspace.js";
import { parcel } from "../helpers/parcel.js";
import { record } from "../helpers/recorder.js";

/** A call of each operation that would be done, were nothing in its way. */
const calls: Record<Operation, readonly Argument[]> = {
  create: ["new", "SET", "n", "1", "OP", "o9"],
  transition: ["p1", "packed", "SET", "n", "2", "UNSET", "m", "OP", "o9"],
  patch: ["p1", "SET", "n", "2", "UNSET", "m", "OP", "o9"],
  heartbeat: ["leased"],
  expire: ["p1"],
  remove: ["p1", "OP", "o9"],
  apply: [JSON.stringify({ ...parcel, version: 2 })],
};
const PLACES = ["entity", "log", "machine", "index", "due", "events"];

/** Of those, the ones that a heartbeat has to do with. */
const OF_HEARTBEAT = ["entity", "machine", "due"];

/** Makes an entity with a full log, an expired timer, own fields and keys; and one with a lease. */
async function standing(): Promise<Calls> {
  const location = await machine(parcel);
  await location.ok("create", "p1", "SET", "m", "1", "OP", "o1");
  for (let n = 0; n < 3; n++) await location.ok("patch", "p1", "SET", "n", String(n));
  await location.ok("transition", "p1", "sent", "OP", "o2");
  await location.valkey.hset(location.key("id:p1"), "since", "1000");
  await location.ok("create", "leased");
  await location.ok("transition", "leased", "held", "FORCE", "REASON", "to hold it");
  return location;
}

function keysOf(location: Calls, operation: Operation): string[] {
  if (operation === "apply") return [location.key("machine"), location.key("index")];
  return location.keys(String(calls[operation][0]));
}

/** Runs a call that must be rejected or fail, and checks that it wrote and published nothing. */
async function leavesAll<Answer>(location: Calls, call: () => Promise<Answer>): Promise<Answer> {
  const recorder = await record(location.valkey, location.channel);
  const before = await keyspace(location.valkey, location.namespace);
  const answer = await call();
  expect(await keyspace(location.valkey, location.namespace)).toEqual(before);
  expect(await recorder.published()).toEqual([]);
  return answer;
}

const everywhere = Object.keys(calls)
  .flatMap((operation) =>
    (operation === "apply" ? ["machine", "index"] : PLACES).map((key, at) => [operation, key, at] as const),
  )
  .filter(([operation, key]) => operation !== "heartbeat" || OF_HEARTBEAT.includes(key)) as [
  Operation,
  string,
  number,
][];

describe.each(["string", "set"])("a key that is a %s", (type) => {
  it.each(everywhere)("stops %s at its %s before anything is written", async (operation, _, at) => {
    const location = await standing();
    const keys = keysOf(location, operation);
    const key = String(keys[at]);
    await location.valkey.del(key);
    await (type === "string" ? location.valkey.set(key, "planted") : location.valkey.sadd(key, "planted"));
    const message = await leavesAll(location, () => location.error(operation, keys, calls[operation]));
    expect(message).toMatch(/^WRONGTYPE /);
    expect(message).not.toContain("planted");
  });
});

it.each(Object.keys(calls) as Operation[])("%s is applied if nothing prevents it", async (operation) => {
  const location = await standing();
  const [outcome] = await evalsha(location.valkey, operation, keysOf(location, operation), calls[operation]);
  expect(outcome).toBe("OK");
});

describe("a rejection writes nothing", () => {
  let location: Calls;
  beforeAll(async () => {
    location = await standing();
    await location.ok("create", "form");
    await location.ok("create", "gone");
    await location.ok("remove", "gone");
    for (let n = 0; n < 6; n++) await location.ok("patch", "form", "SET", "n", "1", "OP", `f${n}`);
  });

  const refusals: [string, Operation, ...Argument[]][] = [
    ["EXISTS", "create", "p1", "SET", "n", "9", "OP", "o9"],
    ["EXPIRED", "create", "p1", "NOTAFTER", "1"],
    ["EXPIRED", "create", "new", "NOTAFTER", "1"],
    ["FORGOTTEN", "create", "gone", "OP", "o9", "SENT", "1"],
    ["FORGOTTEN", "create", "form", "OP", "o9", "SENT", "1"],
    ["ILLEGAL", "transition", "form", "delivered", "SET", "n", "9", "OP", "o9"],
    ["ILLEGAL", "transition", "form", "elsewhere", "FORCE", "REASON", "r"],
    ["CONFLICT", "transition", "p1", "packed", "IFVERSION", "1", "SET", "n", "9"],
    ["CONFLICT", "transition", "p1", "packed", "IFSTATE", "packed"],
    ["MISSING", "transition", "p1", "delivered", "SET", "n", "9", "UNSET", "m"],
    ["FORGOTTEN", "transition", "form", "sent", "OP", "o9", "SENT", "1"],
    ["EXPIRED", "transition", "p1", "packed", "NOTAFTER", "1"],
    ["EXPIRED", "transition", "new", "packed", "NOTAFTER", "1"],
    ["NOTFOUND", "transition", "new", "packed", "SET", "n", "9"],
    ["CONFLICT", "patch", "p1", "SET", "n", "9", "IFVERSION", "1"],
    ["FORGOTTEN", "patch", "form", "SET", "n", "9", "OP", "o9", "SENT", "1"],
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
    ["FORGOTTEN", "remove", "form", "OP", "o9", "SENT", "1"],
    ["EXPIRED", "remove", "p1", "NOTAFTER", "1"],
    ["NOTFOUND", "remove", "new", "OP", "o9"],
  ];
  it.each(refusals)("%s of %s %s %s %s", async (expected, operation, id, ...args) => {
    const [outcome] = await leavesAll(location, () => location.run(operation, String(id), ...args));
    expect(outcome).toBe(expected);
  });

  it("MISSING of create and patch", async () => {
    const states = { open: { require: ["who"] } };
    const forms = await machine({ name: "form", version: 1, initial: "open", states });
    expect(await leavesAll(forms, () => forms.run("create", "f1", "SET", "n", "1"))).toEqual([
      "MISSING",
      null,
    ]);
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

const logging = (Object.keys(calls) as Operation[]).filter(
  (operation) => operation !== "apply" && operation !== "heartbeat",
);

it.each(logging)("%s writes nothing when the stream has no id left to give", async (operation) => {
  const location = await standing();
  await location.valkey.xadd(
    location.key("events"),
    "18446744073709551615-18446744073709551615",
    "doc",
    "{}",
  );
  const message = await leavesAll(location, () =>
    location.error(operation, keysOf(location, operation), calls[operation]),
  );
  expect(message).toContain("exhausted");
});

it("writes and publishes nothing when memory is full", async () => {
  const location = await standing();
  const valkey = await admin();
  await valkey.config("SET", "maxmemory", "1");
  try {
    for (const operation of Object.keys(calls) as Operation[]) {
      const message = await leavesAll(location, () =>
        location.error(operation, keysOf(location, operation), calls[operation]),
      );
      expect(message).toMatch(/^OOM /);
    }
  } finally {
    await valkey.config("SET", "maxmemory", "0");
  }
});
