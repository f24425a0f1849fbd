import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type Operation, scripts } from "../../src/lua/index.js";
import { type Argument, admin, type Calls, connection, evalsha, machine } from "../helpers/calls.js";
import { keyspace } from "../helpers/keyspace.js";
import { parcel } from "../helpers/parcel.js";
import { record } from "../helpers/recorder.js";

/** A call of each operation that needs every command which that operation may ever write with. */
const calls: Record<Operation, readonly Argument[]> = {
  create: ["new", "SET", "n", "1", "OP", "o9"],
  transition: ["p1", "packed", "SET", "n", "2", "UNSET", "m", "OP", "o9"],
  patch: ["p1", "SET", "n", "2", "UNSET", "m", "OP", "o9"],
  heartbeat: ["leased"],
  expire: ["p1"],
  remove: ["p1", "OP", "o9"],
  apply: [JSON.stringify({ ...parcel, version: 2 })],
};
const writes: Record<Operation, readonly string[]> = {
  create: ["hset", "zadd", "zrem", "rpush", "ltrim", "xadd", "publish"],
  transition: ["hset", "hdel", "zadd", "zrem", "rpush", "ltrim", "xadd", "publish"],
  patch: ["hset", "hdel", "rpush", "ltrim", "xadd", "publish"],
  heartbeat: ["hset", "zadd"],
  expire: ["hset", "zadd", "zrem", "rpush", "ltrim", "xadd", "publish"],
  remove: ["del", "hset", "zrem", "xadd", "publish"],
  apply: ["del", "hset"],
};
const reads: Record<Operation, readonly string[]> = {
  create: ["hgetall", "llen", "zcard", "xlen", "time", "hget"],
  transition: ["hgetall", "llen", "zcard", "xlen", "time", "hget"],
  patch: ["hgetall", "llen", "zcard", "xlen", "time", "hget"],
  heartbeat: ["hgetall", "zscore", "time", "hget"],
  expire: ["hgetall", "llen", "zcard", "zscore", "xlen", "time", "hget"],
  remove: ["hgetall", "llen", "zcard", "xlen", "time", "hget"],
  apply: ["hgetall", "zcard"],
};
const operations = Object.keys(calls) as Operation[];

/** Of the keys, those that an operation leaves alone. */
const unused: Partial<Record<Operation, readonly string[]>> = {
  heartbeat: ["log:", "machine", "index", "events"],
};

/** Full logs and timers, so that a change writes everything that it may have to write. p1 has expired. */
async function standing(): Promise<Calls> {
  const location = await machine(parcel);
  await location.ok("create", "p1", "SET", "m", "1", "OP", "o1");
  for (let n = 0; n < 3; n++) await location.ok("patch", "p1", "SET", "n", String(n));
  await location.ok("transition", "p1", "sent", "OP", "o2");
  await location.valkey.hset(location.key("id:p1"), "since", "1000");
  await location.ok("create", "leased");
  await location.ok("transition", "leased", "held", "FORCE", "REASON", "to hold it");
  await location.valkey.rpush(location.key("log:new"), ..."abcd");
  return location;
}

/** Calls the same machine as a user with these ACL rules and no others. */
async function as(location: Calls, ...rules: string[]): Promise<Calls> {
  const [username, password] = [`user-${randomBytes(6).toString("hex")}`, randomBytes(12).toString("hex")];
  const valkey = await admin();
  await valkey.call("ACL", "SETUSER", username, "on", `>${password}`, ...rules);
  for (const { text } of Object.values(scripts)) await valkey.script("LOAD", text);
  return location.as(await connection({ username, password }));
}

function keysOf(location: Calls, operation: Operation): string[] {
  if (operation === "apply") return [location.key("machine"), location.key("index")];
  return location.keys(String(calls[operation][0]));
}

async function refused(location: Calls, user: Calls, operation: Operation): Promise<string> {
  const recorder = await record(location.valkey, location.channel);
  const before = await keyspace(location.valkey, location.namespace);
  const message = await user.error(operation, keysOf(location, operation), calls[operation]);
  expect(await keyspace(location.valkey, location.namespace)).toEqual(before);
  expect(await recorder.published()).toEqual([]);
  return message;
}

describe.each(operations)("%s", (operation) => {
  it.each(writes[operation])("writes nothing for a user without %s", async (command) => {
    const location = await standing();
    const user = await as(location, "+@all", `-${command}`, "~*", "&*");
    expect(await refused(location, user, operation)).toMatch(
      new RegExp(`^(NOPERM ${command}$|ERR ACL failure in script: .* '${command}' command)`),
    );
  });

  it.each(reads[operation])("writes nothing for a user without %s", async (command) => {
    const location = await standing();
    const user = await as(location, "+@all", `-${command}`, "~*", "&*");
    expect(await refused(location, user, operation)).toMatch(`ACL failure in script: User`);
  });

  it("writes nothing for a user without one of its keys", async () => {
    const location = await standing();
    const keys = keysOf(location, operation);
    const isUsed = (key: string) => !unused[operation]?.some((name) => key.includes(`:parcel:${name}`));
    for (const denied of keys.filter(isUsed)) {
      const others = keys.filter((key) => key !== denied).map((key) => `~${key}`);
      const user = await as(location, "+@all", ...others, `%R~${denied}`, "&*");
      expect(await refused(location, user, operation)).toMatch(/^NOPERM/);
    }
  });

  it("needs the commands listed here, its six keys and its channel, and nothing else", async () => {
    const location = await standing();
    const commands = [...writes[operation], ...reads[operation]].map((command) => `+${command}`);
    const keys = keysOf(location, operation).map((key) => `~${key}`);
    const user = await as(
      location,
      "-@all",
      "+info",
      "+evalsha",
      ...commands,
      ...keys,
      `&${location.channel}`,
    );
    const [outcome] = await evalsha(user.valkey, operation, keysOf(location, operation), calls[operation]);
    expect(outcome).toBe("OK");
  });
});

it.each(operations.filter((operation) => writes[operation].includes("publish")))(
  "%s writes nothing for a user without its channel",
  async (operation) => {
    const location = await standing();
    const user = await as(location, "+@all", "~*", "resetchannels", `&${location.channel}x`, "&other");
    expect(await refused(location, user, operation)).toBe("NOPERM publish");
  },
);

it("requires only the permissions of the change at hand", async () => {
  const location = await machine(parcel);
  const user = await as(location, "+@all", "-hdel", "-zrem", "-ltrim", "-del", "~*", "&*");
  await user.ok("create", "p2");
  await user.ok("transition", "p2", "sent");
  await user.ok("patch", "p2", "SET", "n", "1");
});

it.each(["del", "hset", "zrem", "xadd", "publish"])(
  "expire writes nothing at the end of a retention for a user without %s",
  async (command) => {
    const location = await standing();
    await location.ok("transition", "p1", "delivered", "SET", "signature", "1");
    await location.valkey.hset(location.key("id:p1"), "since", "1000");
    const user = await as(location, "+@all", `-${command}`, "~*", "&*");
    expect(await refused(location, user, "expire")).toMatch(
      new RegExp(`^(NOPERM ${command}$|ERR ACL failure in script: .* '${command}' command)`),
    );
  },
);

it.each([
  ["zadd", "sent", "1"],
  ["zrem", "packed", "1"],
])(
  "expire writes nothing where it would put due right for a user without %s",
  async (command, state, score) => {
    const location = await machine(parcel);
    await location.ok("create", "p1");
    if (state !== "packed") await location.ok("transition", "p1", state);
    await location.valkey.zadd(location.key("due"), score, "p1");
    const user = await as(location, "+@all", `-${command}`, "~*", "&*");
    expect(await refused(location, user, "expire")).toBe(`NOPERM ${command}`);
  },
);
