import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { library, manifest, type Operation, scripts } from "../../src/lua/index.js";
import { admin, Calls, evalsha, op } from "../helpers/calls.js";
import { freshFolder } from "../helpers/folder.js";
import { builtText, path, pieceText, sourceText } from "../helpers/lua-source.js";
import { inNode } from "../helpers/node.js";
import { parcel } from "../helpers/parcel.js";

const operations = Object.keys(scripts) as Operation[];
const sources = readdirSync(path("lua")).flatMap((name) =>
  name.endsWith(".lua") ? [name.slice(0, -4)] : [],
);
const WRITES =
  /\bcall\('(HSET|HSETNX|HINCRBY|HDEL|DEL|UNLINK|SET|ZADD|ZREM\w*|[RL]PUSH|[RL]POP|LTRIM|X(?:ADD|TRIM|DEL|SETID|ACK|CLAIM|GROUP)|PUBLISH|P?EXPIRE)'/g;

/** The writes of the shared pieces, in their order: XADD is first, because it alone may still fail, and PUBLISH last. */
const PIECES: Record<string, string> = {
  "repetition.lua": "HSET",
  // Of reactions only.
  "gaps.lua": "XADD HSET",
  "reaction.lua": "HSET",
  "waiting.lua": "XCLAIM ZADD ZREM XCLAIM XACK ZADD HDEL",
  "settle.lua": "HSET ZADD ZADD ZREM",
  "erase.lua": "XADD XSETID DEL ZADD HSET ZREMRANGEBYRANK ZREM PUBLISH",
  "commit.lua": "XADD RPUSH LPOP HDEL HSET ZADD ZADD ZREM PUBLISH",
};

const writesIn = (text: string) => [...text.matchAll(WRITES)].map(([, command]) => String(command));

it("has a script for every operation in lua/, and no other", () => {
  expect(operations).toEqual(sources.sort());
  expect(Object.keys(manifest.operations)).toEqual(operations);
});

describe.each(operations)("%s", (operation) => {
  it("is one self-contained text under its SHA-1, in every place it is kept", async () => {
    const text = builtText(operation);
    expect(text).toBe(scripts[operation].text);
    expect(text).toMatch(/^#!lua( flags=[a-z-]+)?\n-- Built from lua\/[a-z]+\.lua\. Do not edit\.\n/);
    expect(text).not.toMatch(/\s$|@include/);
    const sha1 = createHash("sha1").update(text).digest("hex");
    expect(scripts[operation].sha1).toBe(sha1);
    expect(manifest.operations[operation]).toMatchObject({ sha1, file: `${operation}.lua` });
    expect(await (await admin()).script("LOAD", text)).toBe(sha1);
  });

  it("writes only below its last rejection, in the part for it, and by its shared commit", () => {
    const [before = "", after] = sourceText(operation).split("\n-- 4 write\n");
    expect(writesIn(before)).toEqual([]);
    expect(before).not.toMatch(/steps\/(commit|erase)\.lua/);
    // What settles a timer is the whole of a call that ends there.
    for (const [, next] of before.matchAll(/^-- @include steps\/settle\.lua\n *(.*)$/gm)) {
      expect(next).toMatch(/^return \{ '(NOTDUE|NOTFOUND|MISSING)'/);
    }
    if (operation === "get") return expect(after).toBeUndefined();
    if (after === undefined) throw new Error(`${operation} has no part for its writes`);
    const commits = [...after.matchAll(/^-- @include steps\/(commit|erase)\.lua$/gm)];
    expect(writesIn(after).length + commits.length).toBeGreaterThan(0);
    expect(after).not.toMatch(/error_reply/);
    expect(after.match(/^\s*return /gm)).toHaveLength(1);
  });

  it("does not guard a write by pcall, nor any other call", () => {
    expect(builtText(operation)).not.toMatch(
      /redis\.pcall|server\.\w|redis\.setresp|loadstring|pcall\((?!cjson\.decode|struct\.unpack)/,
    );
  });

  it("gives the server's commands no key that it built itself", () => {
    const calls = [...builtText(operation).matchAll(/\bcall\('([A-Z]+)'(?:, 'STREAM')?(?:, ([^,)]+))?/g)];
    expect(calls.length).toBeGreaterThan(2);
    for (const [call, command, key] of calls) {
      if (command === "TIME") continue;
      expect(key, call).toMatch(/^(?:\w+_key|channel)$/);
    }
  });
});

it("has no write in the shared pieces but in commit, erase and settle, for a replay in repetition, and in those of reactions", () => {
  for (const name of ["functions", "steps"].flatMap((folder) => readdirSync(path(`lua/${folder}`)))) {
    const writes = writesIn(pieceText(name));
    expect([name, writes.join(" ")]).toEqual([name, PIECES[name] ?? ""]);
  }
});

it("gives each script and each function of the library the flags that its operation has", () => {
  const flags: Partial<Record<Operation, string>> = {
    heartbeat: "allow-oom",
    expire: "allow-oom",
    remove: "allow-oom",
    get: "no-writes",
  };
  for (const operation of operations) {
    const flag = flags[operation];
    expect(builtText(operation).split("\n", 1)).toEqual([
      flag === undefined ? "#!lua" : `#!lua flags=${flag}`,
    ]);
    const listed = flag === undefined ? "" : `'${flag}'`;
    expect(library).toContain(
      `function_name='${manifest.operations[operation].function}', flags={${listed}},`,
    );
  }
});

it("builds the same bytes every time, and they are the ones in place", async () => {
  const folder = await freshFolder();
  mkdirSync(join(folder, "scripts"));
  cpSync(path("lua"), join(folder, "lua"), { recursive: true });
  cpSync(path("scripts/build-lua.mjs"), join(folder, "scripts/build-lua.mjs"));
  const files = [...operations.map((name) => `${name}.lua`), "latchkey_v2.lua", "manifest.json"].map(
    (name) => `dist/lua/${name}`,
  );
  const build = async () => {
    const script = pathToFileURL(join(folder, "scripts/build-lua.mjs")).href;
    await inNode(`import { buildLua } from ${JSON.stringify(script)}; buildLua(); console.log("null");`);
    return [...files, "src/lua/index.ts"].map((name) => readFileSync(join(folder, name), "utf8"));
  };
  const once = await build();
  expect(await build()).toEqual(once);
  for (const [at, name] of [...files, "src/lua/index.ts"].entries()) {
    expect(existsSync(path(name)), name).toBe(true);
    expect(readFileSync(path(name), "utf8") === once[at], `${name} is as built`).toBe(true);
  }
});

it("rejects an include that does not exist", async () => {
  const folder = await freshFolder();
  mkdirSync(join(folder, "scripts"));
  cpSync(path("lua"), join(folder, "lua"), {
    recursive: true,
    filter: (name) => !name.endsWith("clock.lua"),
  });
  cpSync(path("scripts/build-lua.mjs"), join(folder, "scripts/build-lua.mjs"));
  const script = pathToFileURL(join(folder, "scripts/build-lua.mjs")).href;
  const code = `import { buildLua } from ${JSON.stringify(script)}; buildLua(); console.log("null");`;
  await expect(inNode(code)).rejects.toThrow(/clock\.lua/);
});

it("answers the same as a Function library", async () => {
  const valkey = await admin();
  expect(library).toBe(readFileSync(path(`dist/lua/${manifest.library}`), "utf8"));
  expect(await valkey.call("FUNCTION", "LOAD", library)).toBe("latchkey_v2");
  const steps: [Operation, ...string[]][] = [
    ["apply", JSON.stringify(parcel)],
    ["create", "p1", "SET", "n", "1.0", ...op("o1")],
    ["create", "p1", ...op("o1")],
    ["create", "p1", ...op("o2", "9999999999999-0")],
    ["create", "p1", ...op("o2")],
    ["get", "p1"],
    ["transition", "p1", "sent", "ACTOR", "ann"],
    ["transition", "p1", "sent", "IFVERSION", "1"],
    ["transition", "p1", "held"],
    ["transition", "p1", "lost"],
    ["patch", "p1", "UNSET", "n", "SET", "m", "[]"],
    ["patch", "p 1", "SET", "m", "1"],
    ["heartbeat", "p1", "IFSTATE", "lost"],
    ["expire", "p1"],
    ["expire", "p2"],
    ["remove", "p1", "REASON", "over"],
    ["remove", "p1"],
    ["get", "p1"],
    ["create", "p1", ...op("o1")],
    ["restore", "p1", "sent", "7", "1000", "1000000000000", ...op("o3", "9999999999999-0")],
    ["expire", "p1", "DRYRUN"],
    ["transition", "p1", "packed", "DRYRUN"],
  ];
  const both = { evalsha: new Calls(valkey, "parcel"), fcall: new Calls(valkey, "parcel") };
  for (const [operation, ...args] of steps) {
    const keys = (calls: Calls) => (operation === "apply" ? calls.applyKeys() : calls.keys(String(args[0])));
    const name = manifest.operations[operation].function;
    const fcall = [keys(both.fcall), args].flat();
    const replies = [
      await evalsha(valkey, operation, keys(both.evalsha), args).catch(String),
      await valkey.fcall(name, keys(both.fcall).length, ...fcall).catch(String),
    ];
    const [first, second] = replies.map((reply) =>
      JSON.stringify(reply).replace(/\d{4}-\d\d-\d\dT[\d:.]+Z|"\d{13}-\d+"/g, "<time>"),
    );
    expect(second).toBe(first);
  }
});
