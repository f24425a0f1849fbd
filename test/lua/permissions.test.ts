import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type Operation, scripts } from "../../src/lua/index.js";
import { admin, type Calls, connection, evalsha, machine, op } from "../helpers/calls.js";
import { everyCall, everyOperation, keysOf, standing } from "../helpers/every-call.js";
import { unchanged } from "../helpers/keyspace.js";
import { parcel } from "../helpers/parcel.js";
import { record } from "../helpers/recorder.js";
import { isValkey } from "../helpers/server-program.js";

const LOGGED = ["xadd", "rpush", "lpop", "hset", "publish"];
/** The last two read, after the first write. */
const ERASED = [
  "xadd",
  "del",
  "hset",
  "xsetid",
  "zadd",
  "zremrangebyrank",
  "zrem",
  "publish",
  "zcount",
  "zrange",
];
const writes: Record<Operation, readonly string[]> = {
  create: [...LOGGED, "zadd", "zrem"],
  transition: [...LOGGED, "hdel", "zadd", "zrem"],
  patch: [...LOGGED, "hdel"],
  heartbeat: ["hset", "zadd"],
  expire: [...LOGGED, "zadd", "zrem"],
  remove: ERASED,
  restore: [...LOGGED, "restore", "zadd", "zrem"],
  get: [],
  apply: ["del", "hset"],
};
const COMMON = ["hgetall", "time", "hget", "zcard"];
const reads: Record<Operation, readonly string[]> = {
  create: [...COMMON, "llen", "zscore"],
  transition: [...COMMON, "lpos"],
  patch: [...COMMON, "lpos"],
  heartbeat: ["hgetall", "zscore", "time", "hget"],
  expire: [...COMMON, "llen", "zscore"],
  remove: [...COMMON, "lpos"],
  restore: [...COMMON, "llen", "zscore", "exists", "xinfo"],
  get: ["hgetall", "zscore"],
  apply: ["hgetall", "zcard", "hget"],
};

/** Calls the same machine as a user with these ACL rules and no others. */
async function as(location: Calls, ...rules: string[]): Promise<Calls> {
  const [username, password] = [`user-${randomBytes(6).toString("hex")}`, randomBytes(12).toString("hex")];
  const valkey = await admin();
  await valkey.call("ACL", "SETUSER", username, "on", `>${password}`, ...rules);
  for (const { text } of Object.values(scripts)) await valkey.script("LOAD", text);
  return location.as(await connection({ username, password }));
}

async function rejected(location: Calls, user: Calls, operation: Operation): Promise<string> {
  const recorder = await record(location.valkey, location.channel);
  const message = await unchanged(location, () =>
    user.error(operation, keysOf(location, operation), everyCall[operation]),
  );
  expect(await recorder.published()).toEqual([]);
  return message;
}

/** Returns the pattern of the reply to a command inside a script that the user lacks. Redis 7.0 does not name it. */
const denialOf = (command: string): RegExp =>
  isValkey
    ? new RegExp(`^ERR ACL failure in script: User .* '${command}(\\|[a-z]+)?' command`)
    : /^ERR The user executing the script can't run this command/;

describe.each(everyOperation)("%s", (operation) => {
  it.each(writes[operation])("writes nothing for a user without %s", async (command) => {
    const location = await standing();
    const user = await as(location, "+@all", `-${command}`, "~*", "&*");
    expect(await rejected(location, user, operation)).toMatch(
      new RegExp(`^NOPERM ${command}$|${denialOf(command).source}`),
    );
  });

  it.each(reads[operation])("writes nothing for a user without %s", async (command) => {
    const location = await standing();
    const user = await as(location, "+@all", `-${command}`, "~*", "&*");
    expect(await rejected(location, user, operation)).toMatch(denialOf(command));
  });

  it("writes nothing for a user without one of its keys", async () => {
    const location = await standing();
    const keys = keysOf(location, operation);
    for (const denied of keys) {
      const others = keys.filter((key) => key !== denied).map((key) => `~${key}`);
      const user = await as(location, "+@all", ...others, `%R~${denied}`, "&*");
      expect(await rejected(location, user, operation)).toMatch(/^NOPERM/);
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
    const [outcome] = await evalsha(
      user.valkey,
      operation,
      keysOf(location, operation),
      everyCall[operation],
    );
    expect(outcome).toBe("OK");
  });
});

it.each(everyOperation.filter((operation) => writes[operation].includes("publish")))(
  "%s writes nothing for a user without its channel",
  async (operation) => {
    const location = await standing();
    const user = await as(location, "+@all", "~*", "resetchannels", `&${location.channel}x`, "&other");
    expect(await rejected(location, user, operation)).toBe("NOPERM publish");
  },
);

it("requires only the permissions of the change at hand", async () => {
  const location = await machine(parcel);
  const user = await as(location, "+@all", "-hdel", "-zrem", "-del", "-restore", "~*", "&*");
  await user.ok("create", "p2");
  await user.ok("transition", "p2", "sent");
  await user.ok("patch", "p2", "SET", "n", "1");
});

it.each([...ERASED])(
  "expire writes nothing at the end of a retention for a user without %s",
  async (command) => {
    const location = await standing();
    await location.ok("transition", "p1", "delivered", "SET", "signature", "1");
    await location.valkey.hset(location.key("id:p1"), "times:ms", "1000 1000 0");
    const user = await as(location, "+@all", `-${command}`, "~*", "&*");
    expect(await rejected(location, user, "expire")).toMatch(
      new RegExp(`^NOPERM ${command}$|${denialOf(command).source}`),
    );
  },
);

it("reads an entity by EVALSHA_RO for a user who may only read", async () => {
  const location = await standing();
  const keys = location.keys("p1");
  const commands = ["info", "evalsha_ro", ...reads.get].map((command) => `+${command}`);
  const user = await as(location, "-@all", ...commands, ...keys.map((key) => `%R~${key}`));
  const reply = await user.valkey.call("EVALSHA_RO", scripts.get.sha1, keys.length, ...keys, "p1");
  expect(reply).toEqual(await location.run("get", "p1"));
});

it.each(["zadd", "hset"])(
  "corrects nothing of an entity that is dated ahead for a user without %s",
  async (command) => {
    const location = await machine(parcel);
    await location.ok("create", "p1");
    await location.ok("transition", "p1", "held", "FORCE", "REASON", "to hold it");
    await location.valkey.hset(location.key("id:p1"), "times:ms", "4102444800000 4102444800000 0");
    const user = await as(location, "+@all", `-${command}`, "~*", "&*");
    for (const [operation, ...args] of [["patch", "SET", "n", "1"], ["heartbeat"], ["expire"]] as const) {
      const call = () => user.error(operation, location.keys("p1"), ["p1", ...args]);
      expect(await unchanged(location, call)).toBe(`NOPERM ${command}`);
    }
  },
);

it.each(["xinfo", "exists"])(
  "writes nothing for a user without %s if the log's end is needed",
  async (command) => {
    const location = await standing();
    const user = await as(location, "+@all", `-${command}`, "~*", "&*");
    const args = ["p1", "SET", "n", "1", ...op("o9", "9999999999999-0")];
    const call = () => user.error("patch", location.keys("p1"), args);
    expect(await unchanged(location, call)).toMatch(denialOf(command));
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
    expect(await rejected(location, user, "expire")).toBe(`NOPERM ${command}`);
  },
);
