import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { reactionScripts } from "../../src/lua/reactions.js";
import { reactionKeys } from "../../src/valkey/keys.js";
import { admin } from "../helpers/calls.js";
import { headerOf, path } from "../helpers/lua-source.js";

const names = Object.keys(reactionScripts) as (keyof typeof reactionScripts)[];
const sources = readdirSync(path("lua/reactions")).map((name) => name.replace(/\.lua$/, ""));
const sourceOf = (name: string) => readFileSync(path(`lua/reactions/${name}.lua`), "utf8");
const headerTextOf = (name: string) => headerOf(`lua/reactions/${name}.lua`, sourceOf(name));
const WRITES =
  /\b(call\('(HSET|HDEL|DEL|ZADD|ZREM|XADD|XACK|XDEL|XCLAIM|XREADGROUP|XGROUP|PEXPIRE)'|(write_assignment|add_waiting|assign_next|add_gap)\()/g;

it("has a script for every file in lua/reactions/, and no other", () => {
  expect(names).toEqual(sources.sort());
});

describe.each(names)("%s", (name) => {
  const source = sourceOf(name);
  const { text, sha1 } = reactionScripts[name];

  it("is one self-contained text under its SHA-1", async () => {
    expect(text).toContain(`#!lua\n-- Built from lua/reactions/${name}.lua. Do not edit.\n`);
    expect(text).not.toMatch(/\s$|@include/);
    expect(createHash("sha1").update(text).digest("hex")).toBe(sha1);
    expect(await (await admin()).script("LOAD", text)).toBe(sha1);
  });

  it("documents the keys in the order in which the client passes them", () => {
    const location = { namespace: "ns", machine: "<machine>", partitions: 1 };
    const patterns = Object.values(reactionKeys(location, 0, "<name>")).map((key) =>
      key.replace("{ns:0}", "{ns:p}"),
    );
    expect(headerTextOf(name).keys.map(({ number, pattern }) => [number, pattern])).toEqual(
      patterns.map((pattern, at) => [String(at + 1), pattern]),
    );
  });

  it("binds each key and each argument at most once, at the top, under the name in its header", () => {
    const inputs = source.slice(source.indexOf("-- 1 inputs"), source.indexOf("-- 2 read"));
    const bound = (list: "KEYS" | "ARGV") =>
      [
        ...inputs.matchAll(
          new RegExp(`local ([\\w, ]+) = (${list}\\[\\d+\\](?:, ${list}\\[\\d+\\])*)\\n`, "g"),
        ),
      ].flatMap(([, locals = "", places = ""]) => {
        const numbers = [...places.matchAll(/\d+/g)].map(String);
        return locals.split(", ").map((local, at) => `${numbers[at]} ${local}`);
      });
    const { keys, args } = headerTextOf(name);
    const documentedKeys = keys.map(({ number, name: key }) => `${number} ${key}_key`);
    expect(documentedKeys).toEqual(expect.arrayContaining(bound("KEYS")));
    expect(new Set(bound("KEYS")).size).toBe(bound("KEYS").length);
    expect(bound("ARGV")).toEqual(args.filter((arg) => arg !== "and").map((arg, at) => `${at + 1} ${arg}`));
    expect(source.slice(source.indexOf("-- 2 read"))).not.toMatch(/KEYS|ARGV/);
  });

  it("reads, rejects and writes in this order, and writes only in the last part", () => {
    expect(source.match(/^-- \d \w+$/gm)).toEqual(["-- 1 inputs", "-- 2 read", "-- 3 reject", "-- 4 write"]);
    const [before = "", after = ""] = source.split("\n-- 4 write\n");
    expect(before.match(WRITES)).toBeNull();
    expect(after.match(WRITES)).not.toBeNull();
    expect(after).not.toMatch(/error_reply/);
  });

  it("passes no key to the server that it built itself", () => {
    const reads = [...text.matchAll(/\bcall\('XREADGROUP'.*'STREAMS', ([^,)]+)/g)];
    const calls = [...text.matchAll(/\bcall\('(?!TIME|XREADGROUP)[A-Z]+'(?:, '[A-Z]+')?, ([^,)]+)/g)];
    expect(calls.length).toBeGreaterThan(2);
    for (const [call, key] of [...reads, ...calls]) expect(key, call).toMatch(/^\w+_key$/);
  });

  it("returns no error that its header does not list", () => {
    const codes = [...source.matchAll(/error_reply\('([A-Z]+)/g)].map(([, code]) => String(code));
    // The server itself replies with NOGROUP.
    expect([...new Set(["NOGROUP", ...codes])].sort()).toEqual(
      [...new Set(["NOGROUP", ...headerTextOf(name).errors])].sort(),
    );
  });
});
