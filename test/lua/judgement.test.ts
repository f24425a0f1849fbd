import { describe, expect, it } from "vitest";
import type { Operation } from "../../src/lua/index.js";
import { type Argument, type Calls, evalsha, machine, op } from "../helpers/calls.js";
import { unchanged } from "../helpers/keyspace.js";
import { parcel } from "../helpers/parcel.js";

/** A cause for a rejection. */
type Cause = (calls: Calls) => Promise<unknown>;

const plant =
  (rest: string): Cause =>
  async ({ valkey, prefix }) => {
    await valkey.del(prefix + rest);
    await valkey.set(prefix + rest, "planted");
  };
const damage: Cause = ({ valkey, prefix }) => valkey.hset(`${prefix}id:p1`, "version", "x");
const noMachine: Cause = ({ valkey, prefix }) => valkey.del(`${prefix}machine`);
const forget: Cause = ({ valkey, prefix }) => valkey.hset(`${prefix}id:p1`, "ops:forgot", "9-0");
const forgetGone: Cause = ({ valkey, prefix }) => valkey.hset(`${prefix}machine`, "floor", "9-0");
const none: Cause = async () => {};

const tooMany = Array.from({ length: 64 }, (_, n) => ["SET", `f${n}`, "1"]).flat();
const late = ["NOTAFTER", "1"];

/** Two causes at once, and the one that must be answered. p1 is packed, with a field m, created with the key o1. */
const cases: [answer: string, before: string, cause: Cause, operation: Operation, ...args: Argument[]][] = [
  ["BADARG option", "WRONGTYPE", plant("id:p1"), "transition", "p1", "sent", "NOW"],
  ["BADARG SEEN", "NOMACHINE", noMachine, "create", "p2", "OP", "o9"],
  ["WRONGTYPE", "LAYOUT of the machine", plant("machine"), "transition", "p1", "sent"],
  [
    "WRONGTYPE",
    "NOMACHINE",
    async (calls) => [await plant("id:p1")(calls), await noMachine(calls)],
    "remove",
    "p1",
  ],
  [
    "WRONGTYPE",
    "CONFLICT, of the log of a call with a key",
    plant("log:p1"),
    "patch",
    "p1",
    "UNSET",
    "m",
    ...op("o9"),
    "IFVERSION",
    "9",
  ],
  [
    "LAYOUT",
    "NOMACHINE",
    async (calls) => [await damage(calls), await noMachine(calls)],
    "patch",
    "p1",
    "UNSET",
    "m",
  ],
  ["LAYOUT", "EXPIRED", damage, "heartbeat", "p1", ...late],
  ["LAYOUT", "EXISTS", damage, "create", "p1"],
  ["NOMACHINE", "REPLAYED", noMachine, "create", "p1", ...op("o1")],
  ["NOMACHINE", "REPLAYED", noMachine, "transition", "p1", "sent", ...op("o1")],
  ["NOMACHINE", "EXPIRED", noMachine, "remove", "p1", ...late],
  ["NOMACHINE", "NOTFOUND", noMachine, "heartbeat", "p2"],
  ["REPLAYED", "FORGOTTEN", forget, "patch", "p1", "UNSET", "m", ...op("o1")],
  ["REPLAYED", "EXPIRED", none, "remove", "p1", ...op("o1"), ...late],
  ["FORGOTTEN", "EXPIRED", forget, "patch", "p1", "UNSET", "m", ...op("o9"), ...late],
  ["FORGOTTEN", "NOTFOUND", forgetGone, "patch", "p2", "UNSET", "m", ...op("o9")],
  ["FORGOTTEN", "EXISTS", forget, "create", "p1", ...op("o9")],
  ["EXPIRED", "NOTFOUND", none, "transition", "p2", "sent", ...late],
  ["EXPIRED", "CONFLICT", none, "patch", "p1", "UNSET", "m", ...late, "IFVERSION", "9"],
  ["EXPIRED", "EXISTS", none, "create", "p1", ...late],
  ["EXPIRED", "EXISTS", none, "restore", "p1", "sent", "1", "0", "1000000000000", ...op("o9"), ...late],
  ["NOTFOUND", "CONFLICT", none, "remove", "p2", "IFVERSION", "9"],
  ["NOTFOUND", "ILLEGAL", none, "transition", "p2", "elsewhere"],
  ["CONFLICT", "ILLEGAL", none, "transition", "p1", "delivered", "IFVERSION", "9"],
  ["CONFLICT", "ILLEGAL", none, "heartbeat", "p1", "IFSTATE", "held"],
  ["CONFLICT", "BADARG field", none, "patch", "p1", "SET", "sentAt", "1", "IFVERSION", "9"],
  [
    "CONFLICT",
    "LAYOUT of a state's row",
    ({ valkey, prefix }) => valkey.hset(`${prefix}machine`, "=packed", "x"),
    "patch",
    "p1",
    "UNSET",
    "m",
    "IFVERSION",
    "9",
  ],
  ["EXISTS", "BADARG field", none, "create", "p1", "SET", "sentAt", "1"],
  ["EXISTS", "BADARG to", none, "restore", "p1", "elsewhere", "1", "0", "1000000000000", ...op("o9")],
  ["ILLEGAL", "BADARG field", none, "transition", "p1", "delivered", "SET", "sentAt", "1"],
  ["ILLEGAL", "BADARG SET", none, "transition", "p1", "delivered", ...tooMany],
  ["ILLEGAL", "MISSING", none, "transition", "p1", "delivered"],
  ["BADARG field", "MISSING", none, "transition", "p1", "lost", "SET", "sentAt", "1"],
  ["BADARG field", "MISSING", none, "transition", "p1", "lost", "UNSET", "sentAt"],
  ["BADARG SET", "MISSING", none, "transition", "p1", "lost", ...tooMany],
  [
    "BADARG SET",
    "MISSING",
    none,
    "restore",
    "p2",
    "lost",
    "1",
    "0",
    "1000000000000",
    ...tooMany,
    "SET",
    "more",
    "1",
    ...op("o9"),
  ],
  ["MISSING", "WRONGTYPE", plant("index"), "transition", "p1", "lost", "SET", "error", "1"],
  ["MISSING", "WRONGTYPE", plant("events"), "transition", "p1", "lost", "SET", "error", "1"],
  ["ILLEGAL", "WRONGTYPE", plant("log:p1"), "transition", "p1", "delivered"],
  ["NOTDUE", "WRONGTYPE", plant("events"), "expire", "p1"],
];

it.each(cases)("answers %s before %s", async (answer, _, cause, operation, ...args) => {
  const calls = await machine(parcel);
  await calls.ok("create", "p1", "SET", "m", "1", ...op("o1"));
  await cause(calls);
  const id = String(args[0]);
  const reply = await unchanged(calls, () =>
    evalsha(calls.valkey, operation, calls.keys(id), args).catch((error: Error) => error.message),
  );
  const given = typeof reply === "string" ? reply : reply[0];
  expect(given.startsWith(answer) ? answer : given).toBe(answer);
});

describe("judges wrong types of the keys that only the write needs before permissions", () => {
  it.each(["index", "due"])("at %s", async (key) => {
    const calls = await machine(parcel);
    await calls.ok("create", "p1");
    await plant(key)(calls);
    const username = `user-${calls.namespace}`;
    await calls.valkey.call("ACL", "SETUSER", username, "on", ">pass", "+@all", "-hset", "~*", "&*");
    const user = calls.as(calls.valkey.duplicate({ username, password: "pass" }));
    const message = await unchanged(calls, () => user.error("transition", user.keys("p1"), ["p1", "sent"]));
    user.valkey.disconnect();
    expect(message).toMatch(/^WRONGTYPE/);
  });
});
